"""Cells in processes of their own: the same results, and what happens when one of them, or this one, is ended."""

import multiprocessing
import os
import shutil
import signal
import time
from pathlib import Path

import pytest

from adi.errors import AdiError
from adi.reproduce import grid
from adi.reproduce.cells import Cell
from adi.reproduce.folder import GridFolder, Record
from adi.reproduce.grid import reproduce
from adi.reproduce.side_by_side import run_side_by_side
from adi.reproduce.watcher import CellWatcher

CELLS = [Cell("data", name, 0, "dnn", {}) for name in ("first", "second")]
RECORD = Record(code="c", torch="t", fingerprint="f", config={}, status="done")


def out_of_memory(cell: Cell, watcher: CellWatcher) -> Record:
    os.kill(os.getpid(), signal.SIGKILL)
    return RECORD


def out_of_disk(cell: Cell, watcher: CellWatcher) -> Record:
    raise OSError(28, "No space left on device")


def for_ever(cell: Cell, watcher: CellWatcher) -> Record:
    watcher.training(cell)
    time.sleep(600)
    return RECORD


def test_two_at_once_come_to_the_same(copied: Path, watcher, tiny, finished: Path) -> None:
    tiny.setattr(grid, "write_outputs", lambda folder, version, *, quick: folder.root)
    for place in ("runs", "cells"):
        shutil.rmtree(copied / "quick" / place)
    told = watcher(one_by_one=False)
    assert reproduce("table6", copied, told, datasets=["marketplace"], quick=True, jobs=2).failed == {}
    assert sorted(told.done) == sorted((cell.key, "done") for cell in told.cells)
    assert {epoch for _, epoch in told.epochs} == {1, 2}
    for cell in told.cells:
        here, there = (GridFolder(root).run(cell) for root in (copied / "quick", finished))
        assert (here / "metrics.json").read_bytes() == (there / "metrics.json").read_bytes()


def test_a_process_that_the_system_ends_is_one_message(watcher) -> None:
    with pytest.raises(AdiError, match=r"^data/first-0: its process ended with exit code -9, .* fewer --jobs"):
        run_side_by_side(out_of_memory, CELLS[:1], watcher(), jobs=2)


def test_what_a_cell_raises_is_raised_here_with_its_place(watcher) -> None:
    with pytest.raises(OSError, match="No space left") as raised:
        run_side_by_side(out_of_disk, CELLS[:1], watcher(), jobs=2)
    assert raised.value.errno == 28
    assert "in out_of_disk" in "".join(raised.value.__notes__)


def test_an_interruption_ends_the_cells_at_work(watcher) -> None:
    class Impatient(watcher):  # type: ignore[misc]
        def training(self, cell: Cell) -> None:
            super().training(cell)
            if len(self.trained) == 2:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_side_by_side(for_ever, CELLS, Impatient(), jobs=2)
    assert multiprocessing.active_children() == []
