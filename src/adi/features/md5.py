"""MD5 of many texts, apart from the rest of the features: a server encodes values without importing DuckDB."""

import duckdb
import numpy as np
import pyarrow as pa

from adi.data.arrays import Array


def md5_lower(values: pa.Array, salt: str = "") -> Array:
    """The last 8 of the 16 bytes of the MD5 digest of each value as a little-endian number: uint64 (n,), 0 for NULL.

    Values are texts, or numbers as text; `salt` follows each.
    """
    with duckdb.connect() as connection:
        connection.execute("SET threads = 1")  # several would return the rows in their order at the cost of a sort
        connection.register("given", pa.table({"value": values}))
        salted = "value::VARCHAR || $salt" if salt else "value::VARCHAR"
        query = f"SELECT coalesce(md5_number_lower({salted}), 0) FROM given"
        numbers = connection.execute(query, {"salt": salt} if salt else {}).to_arrow_table()
    digests: Array = numbers.column(0).to_numpy()
    return digests.astype(np.uint64)
