"""Cells in parallel processes: errors and interruptions of a process or of all."""

import multiprocessing
import os
import signal
import time

import pytest

from adi.errors import AdiError
from adi.grid.cells import Cell, CellObserver, CellRecord
from adi.grid.parallel import run_in_parallel
from adi.grid.progress import Silent

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


class Impatient(Silent):
    """Interrupts when the second cell starts."""

    def __init__(self) -> None:
        self.started = 0

    def training(self, cell: Cell) -> Silent:
        self.started += 1
        if self.started == 2:
            raise KeyboardInterrupt
        return self


def test_a_killed_process_is_one_message() -> None:
    with pytest.raises(AdiError, match="data/first-0: its process ended with exit code -9, perhaps because memory"):
        run_in_parallel(out_of_memory, CELLS[:1], Silent(), jobs=2)


def test_an_error_in_a_process_is_raised_here_with_its_traceback() -> None:
    with pytest.raises(OSError, match="No space left") as raised:
        run_in_parallel(out_of_disk, CELLS[:1], Silent(), jobs=2)
    assert raised.value.errno == 28
    assert "in out_of_disk" in "".join(raised.value.__notes__)


def test_an_interruption_ends_the_processes_under_way() -> None:
    with pytest.raises(KeyboardInterrupt):
        run_in_parallel(for_ever, CELLS, Impatient(), jobs=2)
    assert multiprocessing.active_children() == []
