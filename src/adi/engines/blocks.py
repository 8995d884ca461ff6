"""Blocks of a stream of rows: of one size, or such that do not divide the rows of a value, as those of a user."""

from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from adi.data.arrays import Array


def tables_of(batches: Iterable[pa.RecordBatch], column: str) -> Iterator[pa.Table]:
    """The batches of a table that is sorted by `column`, cut and joined so that no value is in two of them."""
    rest: list[pa.RecordBatch] = []
    for batch in batches:
        if not batch.num_rows:
            continue
        values = batch.column(column).to_numpy(zero_copy_only=False)
        begin = int(np.searchsorted(values, values[-1]))  # the last value may go on in the next batch
        if begin:
            yield pa.Table.from_batches([*rest, batch.slice(0, begin)])
            rest = [batch.slice(begin)]
        elif rest and pc.equal(rest[-1].column(column)[-1], values[-1]).as_py() is False:
            yield pa.Table.from_batches(rest)
            rest = [batch]
        else:
            rest.append(batch)
    if rest:
        yield pa.Table.from_batches(rest)


def arrays_of(table: pa.Table) -> dict[str, Array]:
    """The columns of a table as arrays, by name."""
    return {name: table.column(name).to_numpy() for name in table.column_names}


def batches_of(batches: Iterable[pa.RecordBatch], schema: pa.Schema, size: int) -> Iterator[pa.RecordBatch]:
    """The rows of batches in batches of `size` rows, the last of what is left."""
    rest: list[pa.RecordBatch] = []
    waiting = 0
    for batch in batches:
        rest.append(batch.cast(schema))
        waiting += batch.num_rows
        if waiting >= size:
            table = pa.Table.from_batches(rest, schema)
            whole = waiting - waiting % size
            for begin in range(0, whole, size):
                yield table.slice(begin, size).combine_chunks().to_batches()[0]
            rest, waiting = table.slice(whole).to_batches(), waiting - whole
    if waiting:
        yield pa.Table.from_batches(rest, schema).combine_chunks().to_batches()[0]
