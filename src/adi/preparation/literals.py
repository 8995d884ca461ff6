"""Numbers in queries."""

import ibis


def exactly(number: int | float) -> ibis.Value:
    """A number as a literal of exactly its value.

    A float that a query spells out is a decimal for DuckDB, and one in some hundreds is another double afterwards.
    """
    return ibis.literal(repr(number)).cast("float64") if isinstance(number, float) else ibis.literal(number)
