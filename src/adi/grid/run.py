"""The work of a grid: trains and evaluates its cells, one by one or in parallel, and goes on after an interruption."""

import shutil
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from adi.errors import AdiError
from adi.grid.cells import Cell, CellObserver, CellRecord, GridObserver
from adi.grid.folder import GridFolder
from adi.grid.parallel import run_in_parallel
from adi.grid.versions import Version
from adi.runs.info import read_info
from adi.runs.metrics import Metrics
from adi.training.loop import Observer
from adi.training.train import train

Evaluate = Callable[[Path, Cell], Metrics]
"""Evaluates a cell's run, in its folder."""

Train = Callable[[GridFolder, Cell, Observer, str], None]
"""Trains a cell on a device, from where an earlier attempt stopped; does nothing if its run is complete."""


def run_cells(
    folder: GridFolder,
    version: Version,
    cells: Sequence[Cell],
    observer: GridObserver,
    *,
    evaluate: Evaluate,
    jobs: int,
    device: str,
    train: Train | None = None,
) -> dict[str, str]:
    """Run the cells that are not finished; returns the errors of those that failed, now or earlier.

    `train` trains a cell, by default as `adi.train` does. Where several `jobs` run at a time, it and `evaluate` are
    functions that can be pickled.
    """
    records = {cell: folder.record(cell) for cell in cells}
    left = [cell for cell, record in records.items() if record is None or record.status == "started"]
    observer.planned(cells=cells, left=len(left))
    run = partial(run_cell, folder, version, train=train or train_cell, evaluate=evaluate, device=device)
    if jobs == 1:
        records |= {cell: run(cell, observer) for cell in left}
    else:
        records |= run_in_parallel(run, left, observer, jobs=jobs)
    return {
        f"{cell.dataset}/{cell.key}": record.reason or ""
        for cell, record in records.items()
        if record is not None and record.status == "failed"
    }


def run_cell(
    folder: GridFolder,
    version: Version,
    cell: Cell,
    observer: CellObserver,
    *,
    train: Train,
    evaluate: Evaluate,
    device: str,
) -> CellRecord:
    """Train a cell, from where an earlier attempt stopped, evaluate it, and write its record."""
    record = folder.record(cell) or version.record(cell)
    folder.write_record(cell, record)
    started, metrics = time.perf_counter(), None
    try:
        train(folder, cell, observer.training(cell), device)
        observer.evaluating(cell)
        metrics = evaluate(folder.run(cell), cell)
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


def train_cell(folder: GridFolder, cell: Cell, observer: Observer, device: str) -> None:
    """Train the cell's model with its settings, as `adi.train` does."""
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
        baselines=False,
        observer=observer,
    )
