"""The kind of a feature: how its values are checked, fitted, written and read back.

The settings of a feature (`adi.schema`) are not here: the schema is one language on one page, and since kinds read
prepared datasets, which know the schema, imports would run in a circle.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from adi.data.arrays import Array, finite_numbers
from adi.data.coding import NUMBERS, Codes, Coding, RecodedArray
from adi.data.dataset import Dataset
from adi.data.histories import Histories
from adi.data.manifest import NULL_ROW, UNSEEN_ROW, FeatureInfo
from adi.errors import AdiError
from adi.features.bags import ArrayBags, as_bags
from adi.features.encoding import Encoding, Hash, Vocabulary
from adi.schema import ColumnFeature, Feature

if TYPE_CHECKING:
    import ibis

    from adi.engines.engine import Engine

Reader = Callable[[Array, Array, Histories | None], ArrayBags]
"""Looks up n entities (n,), -1 for an unknown one, in domains (n,); users have histories, items have None."""


@dataclass(frozen=True)
class FeatureColumn:
    """A column of a feature table by entity: `values` has the columns index, domain_number and value.

    `domain_number` is 0 throughout unless the table is `by_domain`; `source` names file and column in errors.
    """

    values: "ibis.Table"
    source: str
    by_domain: bool


@dataclass(frozen=True)
class Side:
    """The users or the items while they are prepared: their values, and where their arrays are written.

    `ids` has the id of every entity (index, domain_number, value). `counted_ids` has those that a vocabulary may hold
    (index, value, weight, trained): `weight` counts an id's training rows, and its validation rows too where validation
    is by time; `trained` counts its training rows alone. `column` reads the column that a feature names, and raises
    `AdiError` if it has no value. `item_id` is the item feature of kind `id`. `ignored` counts, by feature, values that
    are read as missing though they are there.
    """

    name: Literal["user", "item"]
    size: int
    num_domains: int
    ids: "ibis.Table"
    counted_ids: "ibis.Table"
    column: Callable[[ColumnFeature], FeatureColumn]
    item_id: str | None
    folder: Path
    vocabularies: Path
    held_out_ids: Path
    ignored: dict[str, int]
    engine: "Engine"


class Kind:
    """All that is particular to a kind of feature; by default, that of one value, compared as text, for each entity.

    Such a feature has one array, ``<name>.npy``, of shape (entities,), or (entities, domains) where its table is by
    domain. An entity that no row of a table describes has code 0. `feature` is the kind's class of settings, or, of a
    prepared dataset, its `FeatureInfo`.
    """

    text = False
    """Whether a column of the kind is read as the text that is written: "007" is not 7."""

    keeps_numbers = False
    """Whether the numbers are stored beside their codes (`adi.data.coding.NUMBERS`)."""

    def check(self, feature: Any, column_type: str, source: str, *, by_domain: bool) -> None:
        """Raise `AdiError`, which begins with `source`, for a column of a DuckDB type that the kind does not take."""

    def value_sql(self, feature: Any, column: str) -> str:
        """SQL for the value of a column (a quoted name) as `fit` and the encoding take it; NULL for a missing one."""
        return f"nullif({column}::VARCHAR, '')"

    def attribute_sql(self, feature: Any, column: str, *, text: bool) -> str | None:
        """SQL for the column as an attribute of items; None to keep it as it is, or `text` where it is read as text."""
        return None

    def fit(self, engine: "Engine", feature: Any, values: "ibis.Table", source: str, vocabularies: Path) -> Encoding:
        """The encoding of the column `value` of a table.

        A vocabulary is also written, to ``<vocabularies>/<feature>.parquet``: value, count, code.
        """
        if feature.hash_size is not None:
            return Hash(feature.hash_size)
        from adi.features.counted_vocabulary import count_values

        path = vocabularies / f"{feature.name}.parquet"
        return count_values(engine, feature.name, values, feature.min_count, path)

    def ignored(self, values: "ibis.Table") -> "ibis.Table | None":
        """The rows whose `value` counts as missing though it is there; None if the kind takes every value."""
        return None

    def count_ignored(self, values: "ibis.Table") -> int:
        """The number of values that count as missing though they are there."""
        ignored = self.ignored(values)
        return 0 if ignored is None else int(ignored.count().to_pyarrow().as_py())

    def encode(self, feature: Any, side: Side) -> FeatureInfo:
        """Fit a feature to a side's values and write its arrays."""
        column = side.column(feature)
        encoding = self.fit(side.engine, feature, column.values, column.source, side.vocabularies)
        if count := self.count_ignored(column.values):
            side.ignored[feature.name] = count
        write_codes(side, feature.name, encoding, column.values, column.by_domain, with_numbers=self.keeps_numbers)
        return feature_info(feature, side.name, encoding, by_domain=column.by_domain)

    def encoding(self, feature: FeatureInfo, coding: Coding) -> Encoding:
        """The encoding that `fit` gave a feature of a prepared dataset."""
        if feature.hash_size is not None:
            return Hash(feature.hash_size)
        return Vocabulary(coding.vocabulary(feature.name)["value"])

    def arrays(self, feature: FeatureInfo) -> tuple[str, ...]:
        """The names of a feature's arrays of codes (`Dataset.codes`)."""
        if feature.side == "context":
            return tuple(f"{part}/context_{feature.name}" for part in ("interactions", "test"))
        return (f"features/{feature.side}/{feature.name}",)

    def recoded(self, feature: FeatureInfo, encoding: Encoding, dataset: Dataset, name: str) -> Codes:
        """Translate an array of a feature of `dataset` to the codes of another `encoding`.

        Raises `AdiError` if the dataset does not store what this takes.
        """
        if feature.hash_size is not None:
            raise AdiError(
                f"{dataset.folder}: feature '{feature.name}' is hashed into {feature.hash_size} rows, from which its "
                "values cannot be read back, and the run's table has other rows. Give the schema the hash_size that it "
                "had when the run was trained, and prepare again."
            )
        values = encoding.encode_column(dataset.coding.vocabulary(feature.name)["value"])
        codes = np.concatenate([[NULL_ROW, UNSEEN_ROW], values])
        return RecodedArray(dataset.array(name), codes.__getitem__)

    def reader(self, feature: FeatureInfo, dataset: Dataset) -> Reader:
        """Open a feature's arrays."""
        array = dataset.feature(feature.side, feature.name)

        def read(entities: Array, domains: Array, histories: Histories | None) -> ArrayBags:
            known = np.maximum(entities, 0)
            codes = array[known, domains] if feature.by_domain else array[known]
            return as_bags(np.where(entities < 0, NULL_ROW, codes))

        return read

    def width(self, feature: FeatureInfo, dataset: Dataset) -> int:
        """The most codes that a bag of the feature can have."""
        return 1


def write_codes(
    side: Side, name: str, encoding: Encoding, values: "ibis.Table", by_domain: bool, *, with_numbers: bool = False
) -> None:
    """Write the one array of a feature from its values by entity (`index`) and `domain_number`; also its numbers."""
    from adi.engines.engine import Cells

    shape = (side.size, side.num_domains) if by_domain else (side.size,)
    arrays = [Cells(side.folder / f"{name}.npy", "code", np.int32, encode=encoding.finish)]
    if with_numbers:
        arrays.append(Cells(side.folder / f"{name}{NUMBERS}.npy", "value", np.float64, np.nan, finite_numbers))
    side.engine.write_cells(encoding.lookup(values), shape, arrays, ["index", "domain_number"][: len(shape)])


def feature_info(
    feature: Feature, side: Literal["user", "item", "context"], encoding: Encoding, *, by_domain: bool = False
) -> FeatureInfo:
    """The manifest's record of a fitted feature."""
    return FeatureInfo(
        name=feature.name, side=side, kind=feature.kind, rows=encoding.rows, by_domain=by_domain, **encoding.settings
    )
