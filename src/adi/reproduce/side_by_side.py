"""Cells of a grid at work side by side, each in a process of its own, which tells this one how it goes."""

import os
import signal
import threading
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing import get_context, parent_process
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Any

import torch

from adi.errors import AdiError
from adi.reproduce.cells import Cell
from adi.reproduce.folder import Record
from adi.reproduce.watcher import CellWatcher
from adi.runs.metrics import Metrics
from adi.training.loop import Observer

Run = Callable[[Cell, CellWatcher], Record]


@dataclass
class _Work:
    """A cell that is at work: its process, who is told of its training, and its record once there is one."""

    cell: Cell
    process: SpawnProcess
    observer: Observer | None = None
    record: Record | None = None


def run_side_by_side(run: Run, cells: Sequence[Cell], watcher: CellWatcher, *, jobs: int) -> dict[Cell, Record]:
    """Run cells, `jobs` of them at once; returns their records.

    Whatever ends this call early, an interruption or what a cell raises, ends the cells that are at work as well; and
    should this process be killed, they end by themselves.

    Args:
        run: what runs one cell and returns its record; a function that can be pickled.

    Raises what `run` raises, and `AdiError` where a cell's process is ended from outside.
    """
    waiting, records = list(cells), {}
    at_work: dict[Connection, _Work] = {}
    try:
        while waiting or at_work:
            while waiting and len(at_work) < jobs:
                pipe, work = _start(run, waiting.pop(0), jobs)
                at_work[pipe] = work
            for ready in wait(list(at_work)):
                assert isinstance(ready, Connection)
                work = at_work[ready]
                try:
                    _hear(work, watcher, *ready.recv())
                except EOFError:
                    work.process.join()
                    del at_work[ready]
                    records[work.cell] = _record_of(work)
    finally:
        for work in at_work.values():
            work.process.terminate()
        for work in at_work.values():
            work.process.join()
    return records


def _start(run: Run, cell: Cell, jobs: int) -> tuple[Connection, _Work]:
    context = get_context("spawn")  # a fork of a process whose OpenMP threads have run would wait for them for ever
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(run, cell, there, max(1, (os.cpu_count() or 1) // jobs)), daemon=True)
    process.start()
    there.close()  # so that `here` ends when the process does
    return here, _Work(cell, process)


def _hear(work: _Work, watcher: CellWatcher, event: str, told: Any) -> None:
    """Pass on what a cell's process has sent (`_Teller`)."""
    if event == "raised":
        raise told
    if event == "training":
        work.observer = watcher.training(work.cell)
    elif event == "evaluating":
        watcher.evaluating(work.cell)
    elif event == "finished":
        work.record, metrics = told
        watcher.finished(work.cell, work.record, metrics)
    elif work.observer is not None:
        getattr(work.observer, event)(**told)


def _record_of(work: _Work) -> Record:
    if work.record is None:
        raise AdiError(
            f"{work.cell.dataset}/{work.cell.key}: its process ended with exit code {work.process.exitcode}, which "
            "memory that has run out may be the reason of. The same command, perhaps with fewer --jobs, goes on."
        )
    return work.record


class _Teller:
    """In a cell's process: the watcher, and the observer of the training, that send on all that they are told."""

    def __init__(self, pipe: Connection) -> None:
        self.pipe = pipe

    def training(self, cell: Cell) -> "_Teller":
        self.pipe.send(("training", None))
        return self

    def step(self, **told: Any) -> None:
        self.pipe.send(("step", told))

    def validated(self, **told: Any) -> None:
        self.pipe.send(("validated", told))

    def evaluating(self, cell: Cell) -> None:
        self.pipe.send(("evaluating", None))

    def finished(self, cell: Cell, record: Record, metrics: Metrics | None) -> None:
        self.pipe.send(("finished", (record, metrics)))


def _work(run: Run, cell: Cell, pipe: Connection, threads: int) -> None:
    """What a cell's process does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group: the parent alone decides
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C does in the parent: the record is written
    threading.Thread(target=_end_with_parent, daemon=True).start()
    torch.set_num_threads(threads)
    try:
        run(cell, _Teller(pipe))
    except KeyboardInterrupt:
        pass
    except Exception as error:
        error.add_note(traceback.format_exc())
        pipe.send(("raised", error))


def _end_with_parent() -> None:
    parent = parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os._exit(1)
