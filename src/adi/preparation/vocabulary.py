"""From values to rows of an embedding table: exact vocabularies, hashing, and buckets of numbers.

Row 0 stands for a missing value and row 1 for a value that the vocabulary does not hold; values start at row 2.
"""

from collections.abc import Callable

import ibis
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from ibis import _
from ibis.backends.duckdb import Backend

from adi.data.arrays import Array
from adi.data.manifest import FIRST_VALUE_ROW, NULL_ROW, UNSEEN_ROW
from adi.errors import AdiError
from adi.preparation.splitting import md5_number_lower


def count_values(connection: Backend, values: ibis.Table, min_count: int, name: str) -> ibis.Table:
    """A vocabulary table (value, count, code) of the `value` column: the frequent first, ties by value.

    A row counts once, or `weight` times where there is such a column. Values counted fewer than `min_count` times are
    left to the row of unseen values.
    """
    weight = _.weight.sum() if "weight" in values.columns else _.count()
    counted = values.filter(_.value.notnull()).group_by("value").agg(count=weight)
    order = ibis.window(order_by=[_["count"].desc(), _.value])
    counted = counted.filter(_["count"] >= min_count)
    counted = counted.mutate(code=(ibis.row_number().over(order) + FIRST_VALUE_ROW).cast("int32"))
    connection.create_table(name, counted)
    return connection.table(name)


def look_up(rows: ibis.Table, vocabulary: ibis.Table) -> ibis.Table:
    """Add the column `code` to `rows`, the table row of each one's `value`."""
    known = vocabulary.select(known=_.value, code=_.code)
    joined = rows.left_join(known, rows.value == known.known)
    code = ibis.cases((_.value.isnull(), NULL_ROW), (_.code.isnull(), UNSEEN_ROW), else_=_.code)
    return joined.mutate(code=code.cast("int32")).drop("known")


def looked_up_in(values: pa.Array) -> Callable[[pa.Array], Array]:
    """`look_up` as a function of arrays, in a vocabulary's values in the order of their codes."""
    codes = np.append(np.arange(len(values)) + FIRST_VALUE_ROW, [UNSEEN_ROW, NULL_ROW])

    def encode(column: pa.Array) -> Array:
        place = pc.index_in(column, values).fill_null(len(values))
        place = pc.if_else(column.is_valid(), place, len(values) + 1)
        found: Array = codes[place.to_numpy(zero_copy_only=False)]
        return found

    return encode


def hash_values(rows: ibis.Table, hash_size: int, value: str = "value", code: str = "code") -> ibis.Table:
    """Make the column `code` of `rows`: a value's MD5, taken modulo the size of the table."""
    hashed = md5_number_lower(rows[value]) % hash_size + FIRST_VALUE_ROW
    return rows.mutate(**{code: ibis.cases((rows[value].isnull(), NULL_ROW), else_=hashed).cast("int32")})


def bucket_edges(values: ibis.Table, buckets: int, scale: str, place: str) -> tuple[float, ...]:
    """Edges between buckets of the finite numbers in the `value` column: equally many rows, or equal log(1 + x) steps.

    Fewer edges than asked come back where values repeat; a lowest value that many rows share, such as 0, keeps a bucket
    of its own. `place` names the column in errors.
    """
    finite = values.filter(_.value.notnull() & ~_.value.isnan() & ~_.value.isinf())
    low, high, found = (
        finite.agg(low=_.value.min(), high=_.value.max(), found=_.count()).to_pyarrow().to_pylist()[0].values()
    )
    if found == 0:
        raise AdiError(f"{place}: no value is a finite number. Remove the feature, or mend the column.")
    if scale == "log":
        if low < 0:
            raise AdiError(f"{place}: the value {low} is negative, and scale: log is for counts. Use scale: quantile.")
        edges = np.expm1(np.linspace(np.log1p(low), np.log1p(high), buckets + 1))[1:-1]
    else:
        numbers = finite.value.cast("float64").to_pyarrow().to_numpy()  # the engine's own quantiles take twice as long
        edges = np.quantile(numbers, np.arange(1, buckets) / buckets)
    if low == high:
        return ()
    above = finite.value.min(where=finite.value > low).to_pyarrow().as_py()
    return tuple(float(edge) for edge in np.unique(np.where(edges > low, edges, above)))
