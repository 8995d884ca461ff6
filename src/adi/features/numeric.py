"""Features of kind `numeric`: numbers cut into buckets, each of which is embedded as a category is."""

import re
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from adi.data.arrays import Array
from adi.data.coding import NUMBERS, Codes, Coding, RecodedArray
from adi.data.dataset import Dataset
from adi.data.manifest import FIRST_VALUE_ROW, NULL_ROW, FeatureInfo
from adi.errors import AdiError
from adi.features.encoding import Encoding
from adi.features.kind import Kind
from adi.schema import NumericFeature

if TYPE_CHECKING:
    import ibis

    from adi.engines.engine import Engine


@dataclass(frozen=True)
class Buckets(Encoding):
    """Codes of the buckets between `edges`, ascending: code 2 is below the first. NaN and infinities are missing."""

    edges: tuple[float, ...]
    takes_numbers = True

    @property
    def rows(self) -> int:
        return len(self.edges) + 1 + FIRST_VALUE_ROW

    @property
    def settings(self) -> dict[str, Any]:
        return {"edges": self.edges}

    def finish(self, values: pa.Array) -> Array:
        return self.encode_column(values).astype(np.int32)

    def encode_column(self, values: pa.Array | pa.ChunkedArray) -> Array:
        return self.encode(values.to_numpy(zero_copy_only=False))

    def encode_value(self, value: str) -> int:
        return int(self.encode(np.array([float(value)]))[0])

    def encode(self, numbers: Array) -> Array:
        """Codes of numbers of any shape."""
        numbers = np.asarray(numbers, dtype=np.float64)
        codes = np.searchsorted(np.asarray(self.edges), numbers, side="right") + FIRST_VALUE_ROW
        return np.where(np.isfinite(numbers), codes, NULL_ROW)


class Numeric(Kind):
    """The code of a number's bucket, from quantiles or logarithmic steps of the column."""

    keeps_numbers = True

    def check(self, feature: NumericFeature, column_type: str, source: str, *, by_domain: bool) -> None:
        if not is_number(column_type):
            raise AdiError(
                f"{source}: {column_type}, and feature '{feature.name}' is numeric. "
                "Use kind: categorical, or write the column as numbers."
            )

    def value_sql(self, feature: NumericFeature, column: str) -> str:
        return f"{column}::DOUBLE"

    def attribute_sql(self, feature: NumericFeature, column: str, *, text: bool) -> str | None:
        return finite_sql(self.value_sql(feature, column)) if text else None

    def fit(
        self, engine: "Engine", feature: NumericFeature, values: "ibis.Table", source: str, vocabularies: Path
    ) -> Buckets:
        return Buckets(bucket_edges(engine, values, feature.buckets, feature.scale, source))

    def ignored(self, values: "ibis.Table") -> "ibis.Table":
        from ibis import _

        return values.filter(_.value.isnan() | _.value.isinf())

    def encoding(self, feature: FeatureInfo, coding: Coding) -> Buckets:
        return Buckets(feature.edges or ())

    def recoded(self, feature: FeatureInfo, encoding: Encoding, dataset: Dataset, name: str) -> Codes:
        if not isinstance(encoding, Buckets):
            raise TypeError(f"numbers become codes by their buckets, not by {encoding}")
        if not (dataset.folder / f"{name}{NUMBERS}.npy").exists():
            raise AdiError(
                f"{dataset.folder}: feature '{feature.name}' has other buckets than in the run, and its numbers are "
                f"not stored ({name}{NUMBERS}.npy is missing): an older adi prepared the data. Prepare it again."
            )
        return RecodedArray(dataset.array(f"{name}{NUMBERS}"), encoding.encode)


def is_number(column_type: str) -> bool:
    """Whether a DuckDB type is a number; a list of numbers is none."""
    return bool(re.fullmatch(r"DECIMAL\(.*\)|FLOAT|DOUBLE|BOOLEAN|U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?", column_type))


def finite_sql(value: str) -> str:
    """SQL for a floating-point value, NULL where it is NaN or infinite."""
    return f"CASE WHEN isfinite({value}) THEN {value} END"


def bucket_edges(engine: "Engine", values: "ibis.Table", buckets: int, scale: str, source: str) -> tuple[float, ...]:
    """Edges between buckets of the finite numbers in the column `value`: equally many rows, or equal log(1 + x) steps.

    There are fewer edges than asked for where values repeat; a lowest value that many rows share, such as 0, keeps a
    bucket of its own. Raises `AdiError`, which begins with `source`, if no number is finite, and for negative numbers
    on a logarithmic scale.
    """
    from ibis import _

    finite = values.filter(_.value.notnull() & ~_.value.isnan() & ~_.value.isinf())
    low, high, count = (
        finite.agg(low=_.value.min(), high=_.value.max(), count=_.count()).to_pyarrow().to_pylist()[0].values()
    )
    if count == 0:
        raise AdiError(f"{source}: no value is a finite number. Remove the feature, or mend the column.")
    if scale == "log":
        if low < 0:
            raise AdiError(f"{source}: the value {low} is negative, and scale: log is for counts. Use scale: quantile.")
        edges = np.expm1(np.linspace(np.log1p(low), np.log1p(high), buckets + 1))[1:-1]
    else:
        edges = quantiles(engine, finite.select(value=_.value.cast("float64")), count, np.arange(1, buckets) / buckets)
    if low == high:
        return ()
    second = finite.value.min(where=finite.value > low).to_pyarrow().as_py()
    return tuple(float(edge) for edge in np.unique(np.where(edges > low, edges, second)))


def quantiles(engine: "Engine", values: "ibis.Table", count: int, shares: Array) -> Array:
    """The quantiles of the `count` numbers in the column `value` at some shares, those of `np.quantile`: (n,)."""
    positions = shares * (count - 1)
    below = np.floor(positions).astype(np.int64)
    ranks, inverse = np.unique(np.concatenate([below, np.minimum(below + 1, count - 1)]), return_inverse=True)
    pairs = engine.values_at(values, ranks)[inverse].reshape(2, -1).T
    return np.array([_between(pair, share) for pair, share in zip(pairs, positions - below, strict=True)])


def _between(pair: Array, share: float) -> float:
    """The number between two at a share of their distance, which may be more than the largest number."""
    scale = 1.0 if isfinite(float(pair[1]) - float(pair[0])) else 2.0
    return float(np.quantile(pair / scale, share)) * scale
