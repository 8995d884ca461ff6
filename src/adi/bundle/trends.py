"""Trends of a bundle: live counters, and the items of each domain that are clicked now."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnxruntime

from adi.bundle.manifest import COUNTERS, TrendsInfo
from adi.bundle.tastes import ClickerTastes, Encode
from adi.columns import columns_of
from adi.data.arrays import Array
from adi.data.clicks import Counts
from adi.data.dataset import Dataset
from adi.data.histories import Histories
from adi.data.last_clicks import REMEMBERED
from adi.data.live_audiences import LiveAudiences
from adi.data.live_clicks import LiveClicks
from adi.data.manifest import TrendInfo
from adi.features.trends import is_active, quiet_features, trend_features
from adi.index.active_items import ActiveItems, AddedScores
from adi.index.vector_index import VectorIndex

NONE_ADDED = AddedScores(np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float32))


class TrendGraphs:
    """The networks of a domain's trends, as ONNX graphs."""

    def __init__(self, bundle: Path, info: TrendsInfo) -> None:
        self._items = _session(bundle / info.items)
        self._co_clicks = None if info.co_clicks is None else _session(bundle / info.co_clicks)

    def coordinates(self, features: Array, audiences: Array | None = None) -> Array:
        """Return the coordinates of items (m, W) from their trend features (m, T), and audiences (m, K, dim) if any.

        With audiences, the last of them are what the audience adds to the item's vector (m, W + dim).
        """
        inputs = {"features": features} if audiences is None else {"features": features, "audiences": audiences}
        (coordinates,) = self._items.run(None, inputs)
        return np.asarray(coordinates)

    def co_click_scores(self, co_clicks: Array, features: Array) -> Array:
        """Return the scores of pairs (P,), P > 0, from co-clicks (P, C) and features of the items (P, T)."""
        assert self._co_clicks is not None
        (scores,) = self._co_clicks.run(None, {"co_clicks": co_clicks, "features": features})
        return np.asarray(scores)


class Trending(NamedTuple):
    """The items of a domain at one moment: those clicked now with their features (p, T), and the quiet ones' (T,).

    `counts` are those of `items` (m,), ascending: all items of the domain with counts in memory. Clicks before `known`
    are counted.
    """

    active: ActiveItems
    features: Array
    quiet: Array
    items: Array
    counts: Counts
    known: float


class Trends:
    """The counters of a bundle, and what they said of each domain's items at the latest refresh.

    They begin as they were at the end of the bundle's log. Feed `clicks` and call `refresh`, from one thread; requests
    are answered by any number of threads.

    Args:
        indexes, items, infos: of each domain that is served, by number.
        encode: encodes queries of a domain, for the tastes of clickers.
    """

    def __init__(
        self,
        bundle: Path,
        dataset: Dataset,
        trend: TrendInfo,
        indexes: Mapping[int, VectorIndex],
        items: Mapping[int, Array],
        infos: Mapping[int, TrendsInfo],
        encode: Encode,
    ) -> None:
        self._dataset, self._indexes, self._items = dataset, indexes, items
        self._graphs = {number: TrendGraphs(bundle, info) for number, info in infos.items()}
        num_items, audience, audiences = dataset.manifest.items, next(iter(infos.values())).audience, None
        if audience is not None:
            tastes = ClickerTastes(dataset, encode, audience.dim)
            audiences = LiveAudiences(
                trend.audience, num_items, dim=audience.dim, by_domain=audience.by_domain, tastes=tastes
            )
        self.reads_context = audience is not None and bool(dataset.manifest.side("context"))
        """Whether the context of clicks matters."""
        self.clicks = LiveClicks(trend, num_items, len(dataset.domains), self._last_items, audiences)
        self.clicks.load(bundle / COUNTERS)
        self.start = self.clicks.known
        """The end of the bundle's log: clicks before this moment are counted from the start."""
        self.available = True
        """Whether the counters are complete; lists come without trends while they are not."""
        self.refresh(self.start + trend.delay)

    def refresh(self, moment: float) -> None:
        """Count the clicks known at a moment, or at that of the last refresh if it is later."""
        moment = max(moment, self.clicks.known + self.clicks.info.delay)
        self.clicks.advance(moment)
        self.trending = {domain: self._trending(domain, moment) for domain in self._indexes}

    def added_scores(self, domain: int, trending: Trending, histories: Histories) -> list[AddedScores]:
        """Return the scores of co-clicks with the last items of n histories, for items of a domain."""
        pairs = self.clicks.co_clicks(histories, None, self._items[domain])
        positions = pairs.columns
        if not len(positions):
            return [NONE_ADDED] * len(histories)
        features = np.tile(trending.quiet, (len(positions), 1))
        is_active, rows = trending.active.rows(positions)
        features[is_active] = trending.features[rows]
        scores = self._graphs[domain].co_click_scores(pairs.values, features)
        return [AddedScores(positions[begin:end], scores[begin:end]) for begin, end in pairwise(pairs.offsets)]

    def _trending(self, domain: int, moment: float) -> Trending:
        corpus, graphs = self._items[domain], self._graphs[domain]
        held = self.clicks.items
        positions = columns_of(held, corpus)
        inside = positions >= 0
        items = held[inside]
        counts = self.clicks.counts(domain, items, np.array([moment]))
        (features,), (quiet,) = trend_features(counts), quiet_features(counts)
        active = is_active(counts)[0]
        positions, features = positions[inside][active], features[active]
        audiences = self.clicks.audiences(domain, items[active])
        if audiences is not None:  # the last is that of a quiet item
            audiences = np.concatenate([audiences, np.zeros((1, *audiences.shape[1:]), dtype=np.float32)])
        coordinates, shifts = graphs.coordinates(np.concatenate([features, quiet[None]]), audiences), None
        if audiences is not None:
            coordinates, shifts = np.split(coordinates, [-audiences.shape[2]], axis=1)
            shifts = shifts[:-1]
        active_items = ActiveItems(self._indexes[domain], positions, coordinates[:-1], coordinates[-1], shifts)
        return Trending(active_items, features, quiet, items, counts, moment - self.clicks.info.delay)

    def _last_items(self, user: str) -> Sequence[tuple[int, int]]:
        """The last items of a user in the bundle's log and their domains, oldest first."""
        number = self._dataset.users.find(user)
        if number is None:
            return ()
        last = self._dataset.histories(np.array([number])).last(REMEMBERED)
        return list(zip(last.items.tolist(), last.domains.tolist(), strict=True))


def _session(path: Path) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
