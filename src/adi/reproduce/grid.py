"""The grid behind the paper's tables: what there is to run, cell by cell, and then all of it written down."""

import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from adi.errors import AdiError
from adi.reproduce.cells import Cell, distinct, lines_of, only_models
from adi.reproduce.code import this_code
from adi.reproduce.datasets import check_sources, make_dataset, origin
from adi.reproduce.folder import GridFolder, Record
from adi.reproduce.interest import check_interest
from adi.reproduce.outputs import write_outputs
from adi.reproduce.side_by_side import run_side_by_side
from adi.reproduce.tables import TABLES, datasets_of, tables_named
from adi.reproduce.versions import Version, clear_stale, manifests_in
from adi.reproduce.watcher import CellWatcher, Watcher
from adi.runs.info import read_info
from adi.training.device import device_named
from adi.training.evaluation import evaluate_run
from adi.training.loop import Observer
from adi.training.train import train


@dataclass(frozen=True)
class Reproduced:
    """Where the report is, and why cells that were asked for have failed, by their place."""

    report: Path
    failed: dict[str, str]


def reproduce(
    name: str,
    out: Path,
    watcher: Watcher,
    *,
    data: Path | None = None,
    seeds: int = 3,
    only: Sequence[str] | None = None,
    datasets: Sequence[str] | None = None,
    jobs: int = 1,
    device: str = "cpu",
    quick: bool = False,
    redo: bool = False,
) -> Reproduced:
    """Run what a table or figure of the paper needs, and write it down with all else that was run in `out`.

    Args:
        name: one of `adi.reproduce.tables.TABLES`, or "all".
        out: the folder of the grid (`adi.reproduce.folder`), new, or that of an earlier call: cells that are done are
            kept, and one that was interrupted goes on.
        data: a folder with the published files of each public data set, in one of its name, as `adi dataset` reads it.
        seeds: how many, from 0 on. A model that draws nothing has one.
        only, datasets: the models and the data sets to run; None: all.
        jobs: how many cells to run at once. Several, each in a process of its own with its share of the cores, take
            less time than one after the other on all of them.
        device: where models are trained, as in `adi.training.train.train`. It may change from call to call.
        quick: a first look, with one seed, one epoch and a small marketplace; kept apart in ``<out>/quick``.
        redo: remove what is of another version, and what has failed, and run it again.

    Raises `AdiError`, before any work, for names, settings and folders that do not exist, and for cells in `out` that
    are of other code, data or settings.
    """
    if seeds < 1:
        raise AdiError(f"--seeds: {seeds}; give 1 or more.")
    if jobs < 1:
        raise AdiError(f"--jobs: {jobs}; give 1 or more.")
    device_named(device)
    tables, seeds = tables_named(name), 1 if quick else seeds
    asked = datasets_of(tables, datasets)
    parts = only_models(
        {
            (table.name, dataset): lines_of(table, dataset, seeds=seeds, quick=quick)
            for table in tables
            for dataset in asked.get(table.name, ())
        },
        only,
    )
    check_sources(parts, data)
    cells = distinct(line for lines in parts.values() for line in lines)
    folder = GridFolder(out / "quick" if quick else out)
    with folder.alone():
        code = this_code()
        watcher.stage("looking at the data")
        origins = {dataset: origin(dataset, data, quick=quick, code=code) for _, dataset in parts}
        clear_stale(folder, origins, cells, code=code, redo=redo)
        for dataset, made_from in origins.items():
            if not folder.data(dataset).exists():
                make_dataset(dataset, data, folder.data(dataset), made_from, quick=quick, say=watcher.stage)
        clear_stale(folder, origins, cells, code=code, redo=redo)  # again: a data set may be new under known cells
        folder.ask(parts, seeds)
        version = Version(code, manifests_in(folder))
        failed = _run_all(folder, version, cells, watcher, jobs=jobs, device=device)
        weighing = {
            cell
            for (table, _), lines in parts.items()
            if TABLES[table].kind == "interest"
            for line in lines
            for cell in line.cells
        }
        for cell in weighing:
            check_interest(folder, cell, watcher.stage)
        watcher.stage("writing the tables")
        report = write_outputs(folder, version, quick=quick)
    return Reproduced(report, failed)


def _run_all(
    folder: GridFolder, version: Version, cells: Sequence[Cell], watcher: Watcher, *, jobs: int, device: str
) -> dict[str, str]:
    """Run the cells that are not done; returns the reasons of those that failed, now or earlier."""
    records = {cell: folder.record(cell) for cell in cells}
    left = [cell for cell, record in records.items() if record is None or record.status == "started"]
    watcher.planned(cells=cells, left=len(left))
    run = partial(run_cell, folder, version, device=device)
    if jobs == 1:
        records |= {cell: run(cell, watcher) for cell in left}
    else:
        records |= run_side_by_side(run, left, watcher, jobs=jobs)
    return {
        f"{cell.dataset}/{cell.key}": record.reason or ""
        for cell, record in records.items()
        if record is not None and record.status == "failed"
    }


def run_cell(folder: GridFolder, version: Version, cell: Cell, watcher: CellWatcher, *, device: str) -> Record:
    """Train a cell on a device, from where it stands, evaluate it, and record how that ended."""
    record = folder.record(cell) or version.record(cell)
    folder.write(cell, record)
    started, metrics = time.perf_counter(), None
    try:
        _train(folder, cell, watcher.training(cell), device)
        watcher.evaluating(cell)
        metrics = evaluate_run(folder.run(cell), progress=False)
        record = record.model_copy(update={"status": "done"})
    except AdiError as error:
        if error.__cause__ is not None:  # the machine's fault, such as a full disk, and none of the cell
            raise
        record = record.model_copy(update={"status": "failed", "reason": str(error)})
    finally:
        record = record.model_copy(update={"seconds": record.seconds + time.perf_counter() - started})
        folder.write(cell, record)
    watcher.finished(cell, record, metrics)
    return record


def _train(folder: GridFolder, cell: Cell, observer: Observer, device: str) -> None:
    run, prepared = folder.run(cell), folder.prepared(cell.dataset)
    resume = (run / "run.json").exists()
    if resume and read_info(run).status == "complete":
        return
    if not resume and run.exists():
        shutil.rmtree(run)  # cut off before anything was in it
    train(
        prepared,
        cell.model,
        run,
        settings=cell.config,
        seed=cell.seed,
        resume=resume,
        device=device,
        observer=observer,
    )
