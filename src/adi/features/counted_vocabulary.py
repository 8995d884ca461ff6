"""A vocabulary counted by an engine, where its values stay: there may be as many as users."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import ibis
import pyarrow as pa
import pyarrow.parquet as pq
from ibis import _

from adi.data.arrays import Array
from adi.data.manifest import FIRST_VALUE_ROW, NULL_ROW, UNSEEN_ROW
from adi.engines.engine import Engine
from adi.features.encoding import Encoding, Vocabulary


@dataclass(frozen=True)
class CountedVocabulary(Encoding):
    """The codes of the `size` values of `table` (value, count, code), which is written to `path`."""

    table: ibis.Table
    path: Path
    size: int

    @property
    def rows(self) -> int:
        return self.size + FIRST_VALUE_ROW

    def lookup(self, rows: ibis.Table) -> ibis.Table:
        known = self.table.select(known=_.value, known_code=_.code)
        code = ibis.cases((_.value.isnull(), NULL_ROW), (_.known_code.isnull(), UNSEEN_ROW), else_=_.known_code)
        joined = rows.left_join(known, rows.value == known.known)
        return joined.mutate(code=code.cast("int32")).drop("known", "known_code")

    @cached_property
    def in_memory(self) -> Vocabulary:
        """The same with its values in memory, which needs no engine."""
        return Vocabulary(pq.ParquetFile(self.path).read(["value"])["value"])

    def encode_column(self, values: pa.Array | pa.ChunkedArray) -> Array:
        return self.in_memory.encode_column(values)

    def encode_value(self, value: str) -> int:
        return self.in_memory.encode_value(value)

    def first_values(self, most: int) -> list[str]:
        return self.in_memory.first_values(most)


def count_values(engine: Engine, name: str, values: ibis.Table, min_count: int, path: Path) -> CountedVocabulary:
    """Count the values in the column `value`, and write them to `path`: the most frequent first, ties by value.

    A row counts once, or `weight` times where there is such a column. Values counted fewer than `min_count` times are
    left out. The engine stores the vocabulary under a name.
    """
    weight = _.weight.sum() if "weight" in values.columns else _.count()
    counted = values.filter(_.value.notnull()).group_by("value").agg(count=weight.cast("int64"))
    ordered = counted.filter(_["count"] >= min_count).mutate(descending=-_["count"])
    table = engine.number(f"vocabulary_{name}", ordered, ["descending", "value"], "position")
    table = table.select("value", "count", code=(_.position + FIRST_VALUE_ROW).cast("int32"))
    columns = ["value", "count", "code"]
    ordered_by_code = table.mutate(position=_.code).select("position", *columns)
    size = engine.write_parquet(ordered_by_code, path, columns, order_by=["position"])
    return CountedVocabulary(table, path, size)
