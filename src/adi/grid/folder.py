"""The folder of a grid, and the records of its cells.

OUT/data/DATASET                  the prepared data set, and its provenance
OUT/runs/DATASET/CELL             a cell's run, as `adi train` and `adi evaluate` write it
OUT/cells/DATASET/CELL.json       a cell's record: its version and state
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import ValidationError

from adi.data.folder import locked, replace_text
from adi.errors import AdiError
from adi.grid.cells import Cell, CellRecord
from adi.strict import describe


class GridFolder:
    """The paths in a grid's folder. Nothing is created before it is needed."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes out during the block; raises `AdiError` where one is already at work."""
        with locked(self.root):
            yield

    def data(self, dataset: str) -> Path:
        return self.root / "data" / dataset

    def prepared(self, dataset: str) -> Path:
        return self.data(dataset) / "prepared"

    def run(self, cell: Cell) -> Path:
        return self.root / "runs" / cell.dataset / cell.key

    def _record(self, cell: Cell) -> Path:
        return self.root / "cells" / cell.dataset / f"{cell.key}.json"

    def record(self, cell: Cell) -> CellRecord | None:
        """A cell's record; None for a cell that was never started. Raises `AdiError` for one that cannot be read."""
        path = self._record(cell)
        try:
            return CellRecord.model_validate_json(path.read_bytes())
        except FileNotFoundError:
            return None
        except ValidationError as error:
            raise AdiError(f"{path}: not a record that this adi wrote: {describe(error, CellRecord)}") from None

    def write_record(self, cell: Cell, record: CellRecord) -> None:
        """Write, or replace, a cell's record."""
        path = self._record(cell)
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_text(path, record.model_dump_json(indent=1))

    def remove(self, cell: Cell) -> None:
        """Remove a cell's run, and then its record, so that an interrupted removal leaves the cell's version known."""
        if self.run(cell).exists():
            shutil.rmtree(self.run(cell))
        self._record(cell).unlink(missing_ok=True)
