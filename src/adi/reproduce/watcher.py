"""Who is told how a grid goes, such as progress bars."""

from collections.abc import Sequence
from typing import Protocol

from adi.reproduce.cells import Cell
from adi.reproduce.folder import Record
from adi.runs.metrics import Metrics
from adi.training.loop import Observer


class CellWatcher(Protocol):
    """Is told how a cell goes."""

    def training(self, cell: Cell) -> Observer: ...
    def evaluating(self, cell: Cell) -> None: ...
    def finished(self, cell: Cell, record: Record, metrics: Metrics | None) -> None: ...


class Watcher(CellWatcher, Protocol):
    """Is told how the grid goes, and how each of its cells does."""

    def stage(self, text: str) -> None: ...
    def planned(self, *, cells: Sequence[Cell], left: int) -> None: ...
