"""Cells of a grid in parallel, each in a process of its own that reports its progress to this one."""

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
from adi.grid.cells import Cell, CellObserver, CellRecord
from adi.runs.metrics import Metrics
from adi.training.loop import Observer

RunCell = Callable[[Cell, CellObserver], CellRecord]


@dataclass
class _Worker:
    """A cell under way: its process, the observer of its training, and its record once it is finished."""

    cell: Cell
    process: SpawnProcess
    observer: Observer | None = None
    record: CellRecord | None = None


def run_in_parallel(
    run: RunCell, cells: Sequence[Cell], observer: CellObserver, *, jobs: int
) -> dict[Cell, CellRecord]:
    """Run cells, `jobs` of them at a time; returns their records.

    Whatever ends this call early, an interruption or an error of a cell, also ends the processes under way; if this
    process is killed, they end by themselves.

    Args:
        run: runs one cell and returns its record; a function that can be pickled.

    Raises what `run` raises, and `AdiError` where a cell's process is ended from outside.
    """
    waiting, records = list(cells), {}
    workers: dict[Connection, _Worker] = {}
    try:
        while waiting or workers:
            while waiting and len(workers) < jobs:
                pipe, worker = _start(run, waiting.pop(0), jobs)
                workers[pipe] = worker
            for ready in wait(list(workers)):
                assert isinstance(ready, Connection)
                worker = workers[ready]
                try:
                    _forward(worker, observer, *ready.recv())
                except EOFError:
                    worker.process.join()
                    del workers[ready]
                    records[worker.cell] = _record_of(worker)
    finally:
        for worker in workers.values():
            worker.process.terminate()
        for worker in workers.values():
            worker.process.join()
    return records


def _start(run: RunCell, cell: Cell, jobs: int) -> tuple[Connection, _Worker]:
    context = get_context("spawn")  # a fork of a process whose OpenMP threads have run would wait for them for ever
    receiver, sender = context.Pipe(duplex=False)
    threads = max(1, (os.cpu_count() or 1) // jobs)
    process = context.Process(target=_work, args=(run, cell, sender, threads), daemon=True)
    # Ctrl-C reaches all processes, and the main one alone decides. One that Python just starts would print a traceback.
    former = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        process.start()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, former)
    sender.close()  # so that the receiver ends with the process
    return receiver, _Worker(cell, process)


def _forward(worker: _Worker, observer: CellObserver, event: str, content: Any) -> None:
    """Pass on a message from a cell's process (`_RemoteObserver`)."""
    if event == "raised":
        raise content
    if event == "training":
        worker.observer = observer.training(worker.cell)
    elif event == "evaluating":
        observer.evaluating(worker.cell)
    elif event == "finished":
        worker.record, metrics = content
        observer.finished(worker.cell, worker.record, metrics)
    elif worker.observer is not None:
        getattr(worker.observer, event)(**content)


def _record_of(worker: _Worker) -> CellRecord:
    if worker.record is None:
        raise AdiError(
            f"{worker.cell.dataset}/{worker.cell.key}: its process ended with exit code {worker.process.exitcode}, "
            "perhaps because memory ran out. The same command goes on; fewer --jobs need less memory."
        )
    return worker.record


class _RemoteObserver:
    """The observer of a cell, and of its training, in the cell's process; sends every call to the main process."""

    def __init__(self, pipe: Connection) -> None:
        self.pipe = pipe

    def training(self, cell: Cell) -> "_RemoteObserver":
        self.pipe.send(("training", None))
        return self

    def refitting(self, **content: Any) -> None:
        self.pipe.send(("refitting", content))

    def step(self, **content: Any) -> None:
        self.pipe.send(("step", content))

    def validated(self, **content: Any) -> None:
        self.pipe.send(("validated", content))

    def warned(self, **content: Any) -> None:
        self.pipe.send(("warned", content))

    def evaluating(self, cell: Cell) -> None:
        self.pipe.send(("evaluating", None))

    def finished(self, cell: Cell, record: CellRecord, metrics: Metrics | None) -> None:
        self.pipe.send(("finished", (record, metrics)))


def _work(run: RunCell, cell: Cell, pipe: Connection, threads: int) -> None:
    """The body of a cell's process."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C in the main process: the record is written
    threading.Thread(target=_end_with_parent, daemon=True).start()
    torch.set_num_threads(threads)
    try:
        run(cell, _RemoteObserver(pipe))
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
