"""The logs of a live marketplace: exposures as the server writes them, a table of clicks with charges, and of an
exploration the shown items with their probabilities."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from adi.data.arrays import Array
from adi.marketplace.clock import SECOND
from adi.online.exploration import Counterfactual, Shown
from adi.serving.exposures import SCHEMA

FIRST_CLICK, LAST_CLICK = 2 * SECOND, 600 * SECOND
"""The least and the longest time from a list to its click."""

CLICKS = pa.schema(
    [(name, pa.string()) for name in ("user", "item", "domain")]
    + [("time", pa.timestamp("us", tz="UTC")), ("charge", pa.float64())]
)

SHOWN = pa.schema(
    [("request", pa.string()), ("time", pa.timestamp("us", tz="UTC"))]
    + [(name, pa.string()) for name in ("user", "domain", "item")]
    + [("propensity", pa.float64()), ("click", pa.int8()), ("charge", pa.float64())]
)
"""The shown items of an exploration; `item` is null for an empty list. With another arm, the columns `other`, its name,
and those of `Counterfactual` follow."""


@dataclass(frozen=True, kw_only=True)
class Served:
    """B answered requests: `items` and `scores` (B, K) with -1 for missing ones; the `clicked` item (B,) or -1, and
    what its advertiser pays (B,). `time` is in microseconds since 1970. `shown` is that of an exploration."""

    user: Array
    domain: Array
    time: Array
    items: Array
    scores: Array
    clicked: Array
    price: Array
    shown: Shown | None = None


class DayLog:
    """The logs of one arm on one day, written as one file of exposures, one of clicks, and one of shown items.

    Args:
        bid_weight: the arm's, in each of the `domains` (D,).
        other: name of the other arm whose probabilities the shown items have.
    """

    def __init__(
        self,
        folder: Path,
        *,
        experiment: str,
        arm: str,
        version: str,
        domains: Sequence[str],
        k: int,
        bid_weight: Array,
        other: str | None = None,
    ) -> None:
        self.folder, self.experiment, self.arm, self.version, self.k = folder, experiment, arm, version, k
        self.domains, self.bid_weight, self.other = pa.array(domains), bid_weight, other
        self._parts: list[Served] = []

    def add(self, served: Served) -> None:
        self._parts.append(served)

    def write(self, day: int, rng: np.random.Generator) -> None:
        """Write the day's files ``exposures/ARM-DAY.parquet`` and ``clicks/ARM-DAY.parquet``, and of an exploration
        ``shown/ARM/DAY.parquet``."""
        if not self._parts:
            return
        name = f"day-{day:03}"
        tables = {f"exposures/{self.arm}-{name}": self._exposures(), f"clicks/{self.arm}-{name}": self._clicks(rng)}
        if self._parts[0].shown is not None:
            tables[f"shown/{self.arm}/{name}"] = self._shown([part.shown for part in self._parts if part.shown], name)
        for path, table in tables.items():
            (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
            pq.write_table(table, self.folder / f"{path}.parquet", compression="zstd")

    def _joined(self, name: str) -> Array:
        return np.concatenate([getattr(part, name) for part in self._parts])

    def _exposures(self) -> pa.Table:
        items, scores = self._joined("items"), self._joined("scores")
        present = items >= 0
        offsets = pa.array(np.concatenate([[0], np.cumsum(present.sum(axis=1))]), pa.int32())
        count = len(items)

        def constant(value: object, kind: pa.DataType) -> pa.Array:
            return pa.repeat(pa.scalar(value, kind), count)

        return pa.table(
            [
                pa.array(self._joined("time")).view(pa.timestamp("us", tz="UTC")),
                ids(self._joined("user")),
                constant(self.experiment, pa.string()),
                constant(self.arm, pa.string()),
                constant("hash", pa.string()),
                constant(self.version, pa.string()),
                constant(0, pa.int32()),
                self.domains.take(pa.array(self._joined("domain"))),
                constant(self.k, pa.int32()),
                constant(None, pa.string()),
                pa.array(self.bid_weight[self._joined("domain")], pa.float64()),
                pa.ListArray.from_arrays(offsets, ids(items[present])),
                pa.ListArray.from_arrays(offsets, pa.array(scores[present], pa.float32())),
            ],
            schema=SCHEMA,
        )

    def _clicks(self, rng: np.random.Generator) -> pa.Table:
        clicked = self._joined("clicked")
        rows = np.flatnonzero(clicked >= 0)
        time = self._joined("time")[rows] + rng.integers(FIRST_CLICK, LAST_CLICK, len(rows))
        return pa.table(
            [
                ids(self._joined("user")[rows]),
                ids(clicked[rows]),
                self.domains.take(pa.array(self._joined("domain")[rows])),
                pa.array(time).view(pa.timestamp("us", tz="UTC")),
                pa.array(self._joined("price")[rows]),
            ],
            schema=CLICKS,
        )

    def _shown(self, parts: Sequence[Shown], name: str) -> pa.Table:
        item = np.concatenate([part.item for part in parts])
        columns = [
            pa.array([f"{self.arm}-{name}-{number}" for number in range(len(item))]),
            pa.array(self._joined("time")).view(pa.timestamp("us", tz="UTC")),
            ids(self._joined("user")),
            self.domains.take(pa.array(self._joined("domain"))),
            pc.if_else(pa.array(item >= 0), ids(item), None),
            pa.array(np.concatenate([part.propensity for part in parts])),
            pa.array((self._joined("clicked") >= 0).astype(np.int8)),
            pa.array(self._joined("price")),
        ]
        table = pa.table(columns, schema=SHOWN)
        others = [part.other for part in parts if part.other is not None]
        if others:
            table = table.append_column("other", pa.repeat(pa.scalar(self.other, pa.string()), len(item)))
            for field in fields(Counterfactual):
                values = np.concatenate([getattr(other, field.name) for other in others])
                table = table.append_column(field.name, pa.array(values))
        return table


def ids(numbers: Array) -> pa.Array:
    """The ids of users or items, which the marketplace counts from 1, as text."""
    return pa.array(numbers + 1).cast(pa.string())
