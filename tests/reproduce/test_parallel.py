"""Cells in parallel processes: the same results, and errors and interruptions of a process or of all."""

import multiprocessing
import os
import shutil
import signal
import time
from pathlib import Path

import pytest

from adi.errors import AdiError
from adi.grid.cells import Cell, CellObserver, CellRecord
from adi.grid.folder import GridFolder
from adi.grid.parallel import run_in_parallel
from adi.reproduce import grid
from adi.reproduce.grid import reproduce

CELLS = [Cell("data", name, 0, "dnn", {}) for name in ("first", "second")]
RECORD = CellRecord(code="c", torch="t", fingerprint="f", config={}, status="done")


def out_of_memory(cell: Cell, observer: CellObserver) -> CellRecord:
    os.kill(os.getpid(), signal.SIGKILL)
    return RECORD


def out_of_disk(cell: Cell, observer: CellObserver) -> CellRecord:
    raise OSError(28, "No space left on device")


def for_ever(cell: Cell, observer: CellObserver) -> CellRecord:
    observer.training(cell)
    time.sleep(600)
    return RECORD


def test_two_at_a_time_have_the_same_results(copied: Path, observer, tiny, finished: Path) -> None:
    tiny.setattr(grid, "write_outputs", lambda folder, version, *, quick: folder.root)
    for place in ("runs", "cells"):
        shutil.rmtree(copied / "quick" / place)
    recorder = observer(one_by_one=False)
    assert reproduce("table6", copied, recorder, datasets=["marketplace"], quick=True, jobs=2).failed == {}
    assert sorted(recorder.done) == sorted((cell.key, "done") for cell in recorder.cells)
    assert {epoch for _, epoch in recorder.epochs} == {1, 2}
    for cell in recorder.cells:
        here, there = (GridFolder(root).run(cell) for root in (copied / "quick", finished))
        assert (here / "metrics.json").read_bytes() == (there / "metrics.json").read_bytes()


def test_a_killed_process_is_one_message(observer) -> None:
    with pytest.raises(AdiError, match="data/first-0: its process ended with exit code -9, perhaps because memory"):
        run_in_parallel(out_of_memory, CELLS[:1], observer(), jobs=2)


def test_an_error_in_a_process_is_raised_here_with_its_traceback(observer) -> None:
    with pytest.raises(OSError, match="No space left") as raised:
        run_in_parallel(out_of_disk, CELLS[:1], observer(), jobs=2)
    assert raised.value.errno == 28
    assert "in out_of_disk" in "".join(raised.value.__notes__)


def test_an_interruption_ends_the_processes_under_way(observer) -> None:
    class Impatient(observer):  # type: ignore[misc]
        def training(self, cell: Cell) -> None:
            super().training(cell)
            if len(self.trained) == 2:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_in_parallel(for_ever, CELLS, Impatient(), jobs=2)
    assert multiprocessing.active_children() == []
