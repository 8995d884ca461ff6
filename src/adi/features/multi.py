"""Features of kind `multi`: a list of values for each user or item, or a text that a separator cuts into one.

A feature has two arrays: ``<name>.values.npy``, the codes of all entities' values, and ``<name>.offsets.npy``, of shape
(entities + 1,), where those of each entity begin. A missing list is empty; empty and missing values in a list are
dropped.
"""

from typing import TYPE_CHECKING

import numpy as np

from adi.data.arrays import Array
from adi.data.dataset import Dataset
from adi.data.histories import Histories
from adi.data.manifest import FeatureInfo
from adi.data.ranges import ranges
from adi.errors import AdiError
from adi.features.bags import ArrayBags, as_bags
from adi.features.kind import Kind, Reader, Side, feature_info
from adi.schema import MultiFeature

if TYPE_CHECKING:
    import ibis


class Multi(Kind):
    """The codes of a list's values, in their order."""

    def check(self, feature: MultiFeature, column_type: str, source: str, *, by_domain: bool) -> None:
        use = f"feature '{feature.name}'"
        if by_domain:
            raise AdiError(
                f"{source}: {use} is a list for each domain, which is not supported. Use a table of one key."
            )
        if feature.separator is None and not column_type.endswith("]"):
            raise AdiError(f"{source}: {column_type} is no list, and {use} is multi. Give its separator, such as '|'.")
        if feature.separator is not None and column_type.endswith("]"):
            raise AdiError(
                f"{source}: {column_type} is a list already, and {use} has a separator. Remove the separator."
            )

    def value_sql(self, feature: MultiFeature, column: str) -> str:
        if feature.separator is None:
            return f"{column}::VARCHAR[]"
        return f"string_split({column}::VARCHAR, '{feature.separator.replace(chr(39), chr(39) * 2)}')"

    def attribute_sql(self, feature: MultiFeature, column: str, *, text: bool) -> str | None:
        return None if text else f"list_filter({self.value_sql(feature, column)}, lambda part: part <> '')"

    def encode(self, feature: MultiFeature, side: Side) -> FeatureInfo:
        from ibis import _

        from adi.engines.offsets import write_offsets

        column, name = side.column(feature), f"{feature.name}.values"
        parts = side.engine.store(f"parts_{feature.name}", parts_of(column.values))
        encoding = self.fit(side.engine, feature, parts, column.source, side.vocabularies)
        encoders = {} if encoding.finish is None else {name: encoding.finish}
        codes = encoding.lookup(parts).select("index", "part", **{name: _.code})
        dtypes = {name: np.int32}
        side.engine.write_columns(codes, side.folder, dtypes, order_by=("index", "part"), encoders=encoders)
        write_offsets(side.engine, parts, "index", side.size, side.folder / f"{feature.name}.offsets.npy")
        return feature_info(feature, side.name, encoding)

    def arrays(self, feature: FeatureInfo) -> tuple[str, ...]:
        return (f"features/{feature.side}/{feature.name}.values",)

    def reader(self, feature: FeatureInfo, dataset: Dataset) -> Reader:
        values, offsets = dataset.feature(feature.side, f"{feature.name}.values"), _offsets(feature, dataset)

        def read(entities: Array, domains: Array, histories: Histories | None) -> ArrayBags:
            known = np.maximum(entities, 0)
            begin = offsets[known]
            positions, cuts = ranges(begin, np.where(entities < 0, begin, offsets[known + 1]))
            return as_bags(values[positions], cuts)

        return read

    def width(self, feature: FeatureInfo, dataset: Dataset) -> int:
        return max(1, int(np.diff(_offsets(feature, dataset)).max(initial=1)))


def _offsets(feature: FeatureInfo, dataset: Dataset) -> Array:
    """The offsets (entities + 1,) of the entities' values."""
    name = f"features/{feature.side}/{feature.name}"
    entities = dataset.manifest.users if feature.side == "user" else dataset.manifest.items
    return dataset.offsets(f"{name}.offsets", entities, len(dataset.array(f"{name}.values")))


def parts_of(values: "ibis.Table") -> "ibis.Table":
    """One row (index, part, value) for each value of the lists (index, value)."""
    import ibis
    from ibis import _

    # In a select list, where engines unnest as they stream; `Table.unnest` joins table and lists. Spark allows one.
    parts = values.select("index", "value", part=ibis.range(0, values.value.length(), 1).unnest())
    parts = parts.select("index", "part", value=_.value[_.part])
    return parts.filter(_.value.notnull() & (_.value != ""))
