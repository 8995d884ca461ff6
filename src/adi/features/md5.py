"""The engine's MD5, apart from the rest of the features: a server encodes values without importing the engine."""

import ibis
import ibis.expr.datatypes as dt


@ibis.udf.scalar.builtin  # type: ignore[untyped-decorator]
def md5_number_lower(text: str) -> dt.uint64:
    """The last 8 of the 16 bytes of the MD5 digest of `text`, as a little-endian number; a function of DuckDB."""
