"""The logs of a live marketplace: exposures as the server writes them, and a table of clicks with charges."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from adi.data.arrays import Array
from adi.marketplace.clock import SECOND
from adi.serving.exposures import SCHEMA

FIRST_CLICK, LAST_CLICK = 2 * SECOND, 600 * SECOND
"""The least and the longest time from a list to its click."""

CLICKS = pa.schema(
    [(name, pa.string()) for name in ("user", "item", "domain")]
    + [("time", pa.timestamp("us", tz="UTC")), ("charge", pa.float64())]
)


@dataclass(frozen=True, kw_only=True)
class Served:
    """B answered requests: `items` and `scores` (B, K) with -1 for missing ones; the `clicked` item (B,) or -1, and
    what its advertiser pays (B,). `time` is in microseconds since 1970."""

    user: Array
    domain: Array
    time: Array
    items: Array
    scores: Array
    clicked: Array
    price: Array


class DayLog:
    """The logs of one arm on one day, written as one file of exposures and one of clicks.

    Args:
        bid_weight: the arm's, in each of the `domains` (D,).
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
    ) -> None:
        self.folder, self.experiment, self.arm, self.version, self.k = folder, experiment, arm, version, k
        self.domains, self.bid_weight = pa.array(domains), bid_weight
        self._parts: list[Served] = []

    def add(self, served: Served) -> None:
        self._parts.append(served)

    def write(self, name: str, rng: np.random.Generator) -> None:
        """Write ``exposures/NAME.parquet`` and ``clicks/NAME.parquet``."""
        if not self._parts:
            return
        for kind, table in (("exposures", self._exposures()), ("clicks", self._clicks(rng))):
            (self.folder / kind).mkdir(parents=True, exist_ok=True)
            pq.write_table(table, self.folder / kind / f"{name}.parquet", compression="zstd")

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


def ids(numbers: Array) -> pa.Array:
    """The ids of users or items, which the marketplace counts from 1, as text."""
    return pa.array(numbers + 1).cast(pa.string())
