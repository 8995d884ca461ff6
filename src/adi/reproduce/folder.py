"""The folder of a grid, and what it knows of each cell.

OUT/data/DATASET                  the data set, prepared, and what it was made from
OUT/runs/DATASET/CELL             a cell's run, as `adi train` and `adi evaluate` write it
OUT/cells/DATASET/CELL.json       its record: which version it is of, and how far it has come
OUT/asked.json                    the tables that were asked for, on which data sets, with how many seeds
OUT/TABLE.csv, OUT/TABLE-DATASET.png, OUT/report.html
"""

import fcntl
import json
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from adi.data.folder import replace_text
from adi.errors import AdiError
from adi.reproduce.cells import Cell
from adi.schema import describe


class Record(BaseModel):
    """A cell's version and state. `reason` is why it failed; `seconds` what it took, interrupted times included."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    code: str
    torch: str
    fingerprint: str
    config: dict[str, Any]
    status: Literal["started", "done", "failed"] = "started"
    reason: str | None = None
    seconds: float = 0.0


def duration(seconds: float) -> str:
    """``3.2 hours``, ``14 minutes`` or ``41 seconds``."""
    if seconds >= 3600:
        return f"{seconds / 3600:.1f} hours"
    return f"{seconds / 60:.0f} minutes" if seconds >= 60 else f"{seconds:.0f} seconds"


class GridFolder:
    """Where everything of a grid is; nothing is made before it is needed."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Within the block no other process works here; raises `AdiError` where one already does."""
        self.root.mkdir(parents=True, exist_ok=True)
        with (self.root / ".lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise AdiError(
                    f"{self.root}: another adi reproduce is at work here. Wait for it, or choose another --out."
                ) from None
            yield

    def data(self, dataset: str) -> Path:
        return self.root / "data" / dataset

    def prepared(self, dataset: str) -> Path:
        return self.data(dataset) / "prepared"

    def run(self, cell: Cell) -> Path:
        return self.root / "runs" / cell.dataset / cell.key

    def _record(self, cell: Cell) -> Path:
        return self.root / "cells" / cell.dataset / f"{cell.key}.json"

    def record(self, cell: Cell) -> Record | None:
        """A cell's record; None where it was never started. Raises `AdiError` for one that cannot be read."""
        path = self._record(cell)
        try:
            return Record.model_validate_json(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except ValidationError as error:
            raise AdiError(f"{path}: not a record that this adi wrote: {describe(error, Record)}") from None

    def write(self, cell: Cell, record: Record) -> None:
        """Replace a cell's record."""
        path = self._record(cell)
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_text(path, record.model_dump_json(indent=1))

    def remove(self, cell: Cell) -> None:
        """Remove a cell's run, and only then its record: a removal that is cut off leaves it known for what it is."""
        if self.run(cell).exists():
            shutil.rmtree(self.run(cell))
        self._record(cell).unlink(missing_ok=True)

    def asked(self) -> dict[str, dict[str, int]]:
        """How many seeds were asked for, by table and data set, in all calls so far."""
        path = self.root / "asked.json"
        found: dict[str, dict[str, int]] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        return found

    def ask(self, parts: Iterable[tuple[str, str]], seeds: int) -> None:
        """Add (table, data set) to those asked for."""
        asked = self.asked()
        for table, dataset in parts:
            before = asked.setdefault(table, {})
            before[dataset] = max(seeds, before.get(dataset, 0))
        replace_text(self.root / "asked.json", json.dumps(asked, indent=1))
