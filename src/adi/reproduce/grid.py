"""The grid behind the paper's tables: plans its cells, runs them one by one or in parallel, and writes the outputs."""

import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

from adi.errors import AdiError, ArgumentError
from adi.reproduce.cells import Cell, CellObserver, CellRecord, distinct_cells, lines_of, only_models
from adi.reproduce.datasets import check_sources, make_dataset, provenance_of
from adi.reproduce.folder import GridFolder
from adi.reproduce.interest import check_interest
from adi.reproduce.outputs import write_outputs
from adi.reproduce.parallel import run_in_parallel
from adi.reproduce.tables import TABLES, datasets_of, tables_named
from adi.reproduce.versions import Version, clear_stale, manifests_in, this_code
from adi.runs.info import read_info
from adi.training.device import device_named
from adi.training.evaluation import evaluate_run
from adi.training.loop import Observer
from adi.training.train import train


class GridObserver(CellObserver, Protocol):
    """Follows the progress of a grid and of its cells."""

    def stage(self, text: str) -> None: ...
    def planned(self, *, cells: Sequence[Cell], left: int) -> None: ...


@dataclass(frozen=True)
class Reproduction:
    """The path of the report, and the errors of the requested cells that failed, by data set and cell."""

    report: Path
    failed: dict[str, str]


def reproduce(
    table: str,
    out: str | Path,
    observer: GridObserver,
    *,
    data: str | Path | None = None,
    seeds: int = 3,
    only: Sequence[str] | None = None,
    datasets: Sequence[str] | None = None,
    jobs: int = 1,
    device: str = "cpu",
    quick: bool = False,
    redo: bool = False,
) -> Reproduction:
    """Run the cells of a table or figure of the paper, and write the outputs of all cells that were ever run in `out`.

    Args:
        table: a name of `adi.reproduce.tables.TABLES`, or "all".
        out: the folder of the grid (`adi.reproduce.folder`): new, or that of an earlier call, of which finished cells
            are kept and interrupted ones go on.
        observer: follows the progress.
        data: a folder with the published files of each public data set in a folder of its name, as for `adi dataset`.
        seeds: the number of seeds, from 0 on. A model without randomness has one.
        only: the models to run; None: all.
        datasets: the data sets to run on; None: all.
        jobs: the number of cells to run at a time. Several at a time, each in a process with its share of the cores,
            take less time than one after the other on all cores.
        device: where models are trained, as in `adi.training.train.train`; it may differ between calls.
        quick: one seed, one epoch and a small marketplace, in ``<out>/quick``.
        redo: remove what is of another version or has failed, and run it again.

    Raises `AdiError`, before any work, for names, settings and folders that do not exist, and for cells in `out` of
    other code, data or settings.
    """
    if seeds < 1:
        raise ArgumentError("seeds", f"{seeds}; give 1 or more.")
    if jobs < 1:
        raise ArgumentError("jobs", f"{jobs}; give 1 or more.")
    device_named(device)
    data = None if data is None else Path(data)
    tables, seeds = tables_named(table), 1 if quick else seeds
    datasets_by_table = datasets_of(tables, datasets)
    parts = only_models(
        {
            (grid_table.name, dataset): lines_of(grid_table, dataset, seeds=seeds, quick=quick)
            for grid_table in tables
            for dataset in datasets_by_table.get(grid_table.name, ())
        },
        only,
    )
    check_sources(parts, data)
    cells = distinct_cells(line for lines in parts.values() for line in lines)
    folder = GridFolder(Path(out, "quick") if quick else Path(out))
    with folder.locked():
        version = _prepare(folder, cells, observer, data=data, quick=quick, redo=redo)
        folder.add_requests(parts, seeds)
        failed = _run_all(folder, version, cells, observer, jobs=jobs, device=device)
        for (name, _), lines in parts.items():
            if TABLES[name].kind == "interest":
                for cell in distinct_cells(lines):
                    check_interest(folder, cell, observer.stage)
        observer.stage("writing the tables")
        report = write_outputs(folder, version, quick=quick)
    return Reproduction(report, failed)


def _prepare(
    folder: GridFolder, cells: Sequence[Cell], observer: GridObserver, *, data: Path | None, quick: bool, redo: bool
) -> Version:
    """Remove or refuse what is of another version, and prepare the data sets of the cells; returns the version."""
    code = this_code()
    observer.stage("checking the data")
    datasets = dict.fromkeys(cell.dataset for cell in cells)
    provenances = {name: provenance_of(name, data, quick=quick, code=code) for name in datasets}
    clear_stale(folder, provenances, cells, code=code, redo=redo)
    for name, provenance in provenances.items():
        if not folder.data(name).exists():
            make_dataset(name, data, folder.data(name), provenance, quick=quick, say=observer.stage)
    clear_stale(folder, provenances, cells, code=code, redo=redo)  # again: a data set may be new under known cells
    return Version(code, manifests_in(folder))


def _run_all(
    folder: GridFolder, version: Version, cells: Sequence[Cell], observer: GridObserver, *, jobs: int, device: str
) -> dict[str, str]:
    """Run the cells that are not finished; returns the errors of those that failed, now or earlier."""
    records = {cell: folder.record(cell) for cell in cells}
    left = [cell for cell, record in records.items() if record is None or record.status == "started"]
    observer.planned(cells=cells, left=len(left))
    run = partial(run_cell, folder, version, device=device)
    if jobs == 1:
        records |= {cell: run(cell, observer) for cell in left}
    else:
        records |= run_in_parallel(run, left, observer, jobs=jobs)
    return {
        f"{cell.dataset}/{cell.key}": record.reason or ""
        for cell, record in records.items()
        if record is not None and record.status == "failed"
    }


def run_cell(folder: GridFolder, version: Version, cell: Cell, observer: CellObserver, *, device: str) -> CellRecord:
    """Train a cell, from where an earlier attempt stopped, evaluate it, and write its record."""
    record = folder.record(cell) or version.record(cell)
    folder.write_record(cell, record)
    started, metrics = time.perf_counter(), None
    try:
        _train(folder, cell, observer.training(cell), device)
        observer.evaluating(cell)
        metrics = evaluate_run(folder.run(cell), progress=False)
        record = record.model_copy(update={"status": "done"})
    except AdiError as error:
        if error.__cause__ is not None:  # a fault of the machine, such as a full disk, rather than of the cell
            raise
        record = record.model_copy(update={"status": "failed", "reason": str(error)})
    finally:
        record = record.model_copy(update={"seconds": record.seconds + time.perf_counter() - started})
        folder.write_record(cell, record)
    observer.finished(cell, record, metrics)
    return record


def _train(folder: GridFolder, cell: Cell, observer: Observer, device: str) -> None:
    run, prepared = folder.run(cell), folder.prepared(cell.dataset)
    resume = (run / "run.json").exists()
    if resume and read_info(run).status == "complete":
        return
    if not resume and run.exists():
        shutil.rmtree(run)  # interrupted before it had any content
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
