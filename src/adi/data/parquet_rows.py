"""Some rows of a Parquet file, without reading all of it."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from adi.data.arrays import Array, arrow_numbers


def rows_of(file: pq.ParquetFile, rows: Array) -> pa.Table:
    """Rows of a file by number, in the order given; one row group after the other is read, those that hold some."""
    sizes = [file.metadata.row_group(number).num_rows for number in range(file.num_row_groups)]
    begin = np.cumsum([0, *sizes])
    groups = np.searchsorted(begin, rows, side="right") - 1
    parts = [file.schema_arrow.empty_table()]
    for group in np.unique(groups).tolist():
        parts.append(file.read_row_group(group).take(arrow_numbers(rows[groups == group] - begin[group])))
    order = np.argsort(
        np.argsort(groups, kind="stable"), kind="stable"
    )  # from the order of the groups to that of `rows`
    return pa.concat_tables(parts).take(arrow_numbers(order))
