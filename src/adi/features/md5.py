"""MD5 of many texts, apart from the rest of the features: a server encodes values without importing DuckDB."""

import duckdb
import numpy as np
import pyarrow as pa

from adi.data.arrays import Array


def md5_lower(texts: pa.Array) -> Array:
    """The last 8 of the 16 bytes of each text's MD5 digest as a little-endian number: uint64 (n,), 0 for NULL."""
    with duckdb.connect() as connection:
        connection.execute("SET threads = 1")  # several would return the rows in their order at the cost of a sort
        connection.register("texts", pa.table({"text": texts}))
        numbers = connection.execute("SELECT coalesce(md5_number_lower(text), 0) FROM texts").to_arrow_table()
    digests: Array = numbers.column(0).to_numpy()
    return digests.astype(np.uint64)
