"""Offsets: where the rows of each user begin in arrays that are sorted by user."""

from pathlib import Path

import ibis
import numpy as np
from ibis import _

from adi.data.arrays import ROWS_PER_BATCH
from adi.engines.engine import Cells, Engine


def write_offsets(engine: Engine, rows: ibis.Table, column: str, size: int, path: Path) -> None:
    """Write where the rows of each number below `size` begin, if they are sorted by it: int64 (size + 1,).

    `column` of `rows` has the numbers.
    """
    counts = rows.group_by(following=rows[column] + 1).agg(rows=_.count())
    engine.write_cells(counts, (size + 1,), [Cells(path, "rows", np.int64)], ["following"])
    offsets, total = np.load(path, mmap_mode="r+"), 0
    for begin in range(0, size + 1, ROWS_PER_BATCH):
        block = offsets[begin : begin + ROWS_PER_BATCH]
        block[:] = np.cumsum(block) + total
        total = int(block[-1])
    offsets.flush()
