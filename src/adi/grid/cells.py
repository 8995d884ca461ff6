"""Cells of a grid: one training of a model with its settings, on a data set, with a seed, and its evaluation."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from pydantic import BaseModel, ConfigDict

from adi.runs.metrics import Metrics
from adi.training.loop import Observer


@dataclass(frozen=True)
class Cell:
    """A training and its evaluation.

    `name` is the model's, followed by the settings that differ from those tuned for the data set; `config` has all.
    """

    dataset: str
    name: str
    seed: int
    model: str
    config: Mapping[str, Any] = field(compare=False)

    @property
    def key(self) -> str:
        """The cell's file name, unique among the cells of its data set."""
        return f"{self.name}-{self.seed}"


class CellRecord(BaseModel):
    """The version and state of a cell; `fingerprint` and `schema_sha256` are those of its prepared data set.

    `reason` is the error of a failed cell; `seconds` is the time it took, interrupted attempts included.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    code: str
    torch: str
    fingerprint: str
    schema_sha256: str | None = None
    config: dict[str, Any]
    status: Literal["started", "done", "failed"] = "started"
    reason: str | None = None
    seconds: float = 0.0


class CellObserver(Protocol):
    """Follows the progress of cells."""

    def training(self, cell: Cell) -> Observer:
        """Called when a cell's training starts; returns the observer of the training."""
        ...

    def evaluating(self, cell: Cell) -> None: ...
    def finished(self, cell: Cell, record: CellRecord, metrics: Metrics | None) -> None: ...


class GridObserver(CellObserver, Protocol):
    """Follows the progress of a grid and of its cells."""

    def stage(self, text: str) -> None: ...
    def planned(self, *, cells: Sequence[Cell], left: int) -> None: ...
