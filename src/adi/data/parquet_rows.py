"""Reading some rows of a Parquet file without reading all of it."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from adi.data.arrays import Array, arrow_numbers


def rows_of(file: pq.ParquetFile, rows: Array) -> pa.Table:
    """Rows of a file by number (n,), in this order. Only the row groups that hold them are read."""
    sizes = [file.metadata.row_group(number).num_rows for number in range(file.num_row_groups)]
    first_rows = np.cumsum([0, *sizes])
    groups = np.searchsorted(first_rows, rows, side="right") - 1
    parts = [file.schema_arrow.empty_table()]
    for group in np.unique(groups).tolist():
        parts.append(file.read_row_group(group).take(arrow_numbers(rows[groups == group] - first_rows[group])))
    by_group = np.argsort(groups, kind="stable")
    order = np.argsort(by_group, kind="stable")  # from the order of the groups to that of `rows`
    return pa.concat_tables(parts).take(arrow_numbers(order))
