"""Encodings, which turn the values of a fitted feature into codes: the rows of its embedding table.

Code 0 is a missing value, code 1 a value that the vocabulary lacks, and values begin at code 2. A value has the same
code in a table of the engine, in an Arrow column and alone. Texts have a vocabulary or a hash; numbers have
`adi.features.numeric.Buckets`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import md5
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from adi.data.arrays import Array
from adi.data.manifest import FIRST_VALUE_ROW, NULL_ROW, UNSEEN_ROW

if TYPE_CHECKING:
    import ibis


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

    finish: Callable[[pa.Array], Array] | None = None
    """The codes of the column `code` of `lookup`; None where it has them."""

    def lookup(self, rows: "ibis.Table") -> "ibis.Table":
        """Add the column `code` to a table of an engine: of the column `value`, as far as the engine can compute it."""
        return rows.mutate(code=rows.value)

    def encode_column(self, values: pa.Array | pa.ChunkedArray) -> Array:
        """Codes (n,) of the values (n,) of a column."""

    def encode_value(self, value: str) -> int:
        """The code of one value. Raises ValueError for a text where a number is needed."""

    @property
    def in_memory(self) -> "Encoding":
        """The same without an engine, to send to other processes."""
        return self

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

    def finish(self, values: pa.Array) -> Array:
        """`encode_column` for many values, by DuckDB."""
        from adi.features.md5 import md5_lower

        codes = md5_lower(values) % np.uint64(self.size) + np.uint64(FIRST_VALUE_ROW)
        encoded: Array = np.where(values.is_valid().to_numpy(zero_copy_only=False), codes, NULL_ROW).astype(np.int32)
        return encoded

    def encode_column(self, values: pa.Array | pa.ChunkedArray) -> Array:
        distinct = values.unique().drop_null()
        codes = np.array([*map(self.encode_value, distinct.to_pylist()), NULL_ROW])
        position = pc.index_in(values, distinct).fill_null(len(distinct))
        encoded: Array = codes[position.to_numpy(zero_copy_only=False)]
        return encoded

    def encode_value(self, value: str) -> int:
        return int.from_bytes(md5(value.encode()).digest()[8:], "little") % self.size + FIRST_VALUE_ROW
