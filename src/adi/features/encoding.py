"""Encodings, which turn the values of a fitted feature into codes: the rows of its embedding table.

Code 0 is a missing value, code 1 a value that the vocabulary lacks, and values begin at code 2. A value has the same
code in a table of the engine, in an Arrow column and alone. Texts have a vocabulary or a hash; numbers have
`adi.features.numeric.Buckets`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import md5
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from adi.data.arrays import ROWS_PER_BATCH, Array
from adi.data.manifest import FIRST_VALUE_ROW, NULL_ROW, UNSEEN_ROW

if TYPE_CHECKING:
    import ibis

Batches = Iterator[dict[str, Array]]
"""A table that streams by: the arrays of its columns by name, a batch of rows at a time."""


class Encoding(Protocol):
    """The codes of a feature's values."""

    takes_numbers: bool = False
    """Whether a value must read as a number."""

    @property
    def rows(self) -> int:
        """The number of codes, 0 and 1 included: the rows of the embedding table."""

    @property
    def settings(self) -> dict[str, Any]:
        """The fields of `FeatureInfo` that describe the encoding."""
        return {}

    def encode_table(self, rows: "ibis.Table", order_by: Sequence[str] = ()) -> Batches:
        """Stream the columns of `rows`, with the int32 column `code` in place of `value`."""

    def encode_column(self, values: pa.Array | pa.ChunkedArray) -> Array:
        """Codes (n,) of the values (n,) of a column."""

    def encode_value(self, value: str) -> int:
        """The code of one value. Raises ValueError for a text where a number is needed."""

    def first_values(self, most: int) -> list[str]:
        """The `most` frequent values; none where the encoding keeps no values."""
        return []


@dataclass(frozen=True)
class Vocabulary(Encoding):
    """Codes by position: `values` (V,) are distinct, the most frequent first, and the first has code 2."""

    values: pa.ChunkedArray

    @property
    def rows(self) -> int:
        return len(self.values) + FIRST_VALUE_ROW

    def encode_table(self, rows: "ibis.Table", order_by: Sequence[str] = ()) -> Batches:
        import ibis
        from ibis import _

        codes = pa.array(np.arange(FIRST_VALUE_ROW, self.rows, dtype=np.int32))
        known = ibis.memtable(pa.table({"known": self.values, "code": codes}))
        code = ibis.cases((_.value.isnull(), NULL_ROW), (_.code.isnull(), UNSEEN_ROW), else_=_.code)
        joined = rows.left_join(known, rows.value == known.known)
        return stream(joined.mutate(code=code.cast("int32")).drop("known", "value"), order_by)

    def encode_column(self, values: pa.Array | pa.ChunkedArray) -> Array:
        unseen = len(self.values)
        codes = np.append(np.arange(unseen) + FIRST_VALUE_ROW, [UNSEEN_ROW, NULL_ROW])
        position = pc.index_in(values, self.values).fill_null(unseen)
        position = pc.if_else(values.is_valid(), position, unseen + 1)
        encoded: Array = codes[position.to_numpy(zero_copy_only=False)]
        return encoded

    def encode_value(self, value: str) -> int:
        position: int = self.values.index(value).as_py()
        return UNSEEN_ROW if position < 0 else position + FIRST_VALUE_ROW

    def first_values(self, most: int) -> list[str]:
        values: list[str] = self.values.slice(0, most).to_pylist()
        return values


@dataclass(frozen=True)
class Hash(Encoding):
    """Codes by a value's MD5, the last 8 bytes as a little-endian number, modulo `size`. No value is unseen."""

    size: int

    @property
    def rows(self) -> int:
        return self.size + FIRST_VALUE_ROW

    @property
    def settings(self) -> dict[str, Any]:
        return {"hash_size": self.size}

    def encode_table(self, rows: "ibis.Table", order_by: Sequence[str] = ()) -> Batches:
        import ibis

        from adi.features.md5 import md5_number_lower

        code = md5_number_lower(rows.value) % self.size + FIRST_VALUE_ROW
        code = ibis.cases((rows.value.isnull(), NULL_ROW), else_=code)
        return stream(rows.mutate(code=code.cast("int32")).drop("value"), order_by)

    def encode_column(self, values: pa.Array | pa.ChunkedArray) -> Array:
        distinct = values.unique().drop_null()
        codes = np.array([*map(self.encode_value, distinct.to_pylist()), NULL_ROW])
        position = pc.index_in(values, distinct).fill_null(len(distinct))
        encoded: Array = codes[position.to_numpy(zero_copy_only=False)]
        return encoded

    def encode_value(self, value: str) -> int:
        return int.from_bytes(md5(value.encode()).digest()[8:], "little") % self.size + FIRST_VALUE_ROW


def count_values(values: "ibis.Table", min_count: int) -> pa.Table:
    """A vocabulary (value, count, code) of the column `value`: the most frequent first, ties by value.

    A row counts once, or `weight` times where there is such a column. Values counted fewer than `min_count` times are
    left out.
    """
    import ibis
    from ibis import _

    weight = _.weight.sum() if "weight" in values.columns else _.count()
    counted = values.filter(_.value.notnull()).group_by("value").agg(count=weight).filter(_["count"] >= min_count)
    order = ibis.window(order_by=[_["count"].desc(), _.value])
    numbered = counted.mutate(code=(ibis.row_number().over(order) + FIRST_VALUE_ROW).cast("int32"))
    return numbered.order_by("code").to_pyarrow()


def stream(rows: "ibis.Table", order_by: Sequence[str] = ()) -> Batches:
    """The columns of a table of the engine as numpy arrays, batch by batch."""
    ordered = rows.order_by(*order_by) if order_by else rows
    for batch in ordered.to_pyarrow_batches(chunk_size=ROWS_PER_BATCH):
        yield {name: batch.column(name).to_numpy(zero_copy_only=False) for name in batch.schema.names}
