"""A Parquet file of rows that stream by."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq


def write_parquet(batches: Iterable[pa.RecordBatch], schema: pa.Schema, path: Path, names: Sequence[str]) -> int:
    """Write the last columns of batches of a schema as columns of these names; returns the number of rows."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fields = [field.with_name(name) for field, name in zip(list(schema)[-len(names) :], names, strict=True)]
    renamed = pa.schema(fields)
    length = 0
    with pq.ParquetWriter(path, renamed) as writer:
        for batch in batches:
            length += len(batch)
            writer.write_batch(pa.RecordBatch.from_arrays(batch.columns[-len(names) :], schema=renamed))
    return length
