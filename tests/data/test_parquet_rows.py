"""Rows of a Parquet file by number equal those of the whole table, across row groups and in any order."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from adi.data.parquet_rows import rows_of


@pytest.mark.parametrize("rows", [[0], [7, 2, 2, 9, 0], [3, 4, 5], list(range(10))[::-1], []])
def test_rows_equal_those_of_the_table(tmp_path: Path, rows: list[int]) -> None:
    table = pa.table({"number": pa.array(range(10)), "text": [None, *"abcdefghi"]})
    pq.write_table(table, tmp_path / "rows.parquet", row_group_size=3)
    wanted = np.asarray(rows, dtype=np.int64)
    rows = rows_of(pq.ParquetFile(tmp_path / "rows.parquet"), wanted)
    assert rows.to_pydict() == table.take(pa.array(wanted)).to_pydict()
    assert rows.schema.equals(table.schema)
