"""A bundle, opened to answer requests: the user tower of a domain, then its index."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from adi.bundle.blend import open_blend
from adi.bundle.manifest import DATA, DomainInfo, read_bundle_info
from adi.bundle.portion import WHOLE, Portion
from adi.bundle.provenance import read_provenance
from adi.bundle.trends import Trends
from adi.bundle.user_tower import UserTower
from adi.data.arrays import Array
from adi.data.blend import Blend
from adi.data.dataset import Dataset
from adi.data.histories import Histories
from adi.data.queries import Queries
from adi.errors import AdiError, ArgumentError
from adi.features.reader import FeatureReader
from adi.index.active_items import ActiveItems, AddedScores, without_trends
from adi.index.allowed import AllowedItems
from adi.index.bids import Bids
from adi.index.topk import Hits, merge_interests
from adi.index.vector_index import VectorIndex
from adi.thread_budget import THREAD_BUDGET
from adi.timing import lap


class BundleEngine:
    """Answers from a bundle (`adi.retrieval.engine.Engine`); vectors and tables stay on disk, in the page cache.

    Args:
        verify: compare every file with its digest in the manifest, not only with its size.
        portion: the domains and the shard to load. The items of a shard are copied into memory.

    Raises `AdiError` for a folder that is not a complete bundle of this format, for parts that do not fit together, and
    for a portion with a domain that the bundle lacks.
    """

    def __init__(self, bundle: Path, *, verify: bool = False, portion: Portion = WHOLE) -> None:
        self.info = read_bundle_info(bundle, verify=verify)
        self.version = self.info.version
        self.provenance = read_provenance(bundle)
        self.dataset = Dataset(bundle / DATA)
        self.reader = FeatureReader(self.dataset)
        self.portion = portion
        names = portion.names(list(self.info.domains))
        domains = {number: info for number, (name, info) in enumerate(self.info.domains.items()) if name in names}
        self.towers = {
            number: UserTower(bundle, info.tower)
            for number, info in enumerate(self.info.domains.values())
            if number in domains or _has_audiences(info)  # which need the tastes of those who click in any domain
        }
        self.indexes = {number: VectorIndex.open(bundle / info.index) for number, info in domains.items()}
        self.bids = {
            number: None if info.bids is None else Bids(np.load(bundle / info.bids.file))
            for number, info in domains.items()
        }
        self._items = {number: self.dataset.corpora.stored_retrievable(number) for number in domains}
        for number, info in domains.items():
            items, index = self._items[number], self.indexes[number]
            if not info.items == len(items) == len(index):
                raise AdiError(
                    f"{bundle}: domain '{self.dataset.domains[number]}' has {len(items)} items, its index {len(index)} "
                    f"and the manifest {info.items}: parts of different bundles. Export the bundle again."
                )
            if portion.shard is not None:
                self._cut(number, portion.shard.positions(items))

        infos = {number: info.trends for number, info in domains.items() if info.trends is not None}
        trend = self.dataset.manifest.trend
        self.trends = (
            Trends(bundle, self.dataset, trend, self.indexes, self._items, infos, self.vectors)
            if infos and trend is not None
            else None
        )
        """The live counters; None for a model without trends."""
        self.blend: Blend | None = None
        self._blended: dict[int, ActiveItems] = {}
        if self.info.blend is not None:
            weights = {number: self.info.blend[name] for number, name in enumerate(self.info.domains)}
            self.blend = open_blend(bundle, weights, domains, self.dataset.manifest.items)
            self._blended = {number: without_trends(index) for number, index in self.indexes.items()}

    def _cut(self, domain: int, positions: Array) -> None:
        """Keep the items of a domain at `positions` alone, with their vectors and bids."""
        bids = self.bids[domain]
        self._items[domain] = self._items[domain][positions]
        self.indexes[domain] = self.indexes[domain].cut(positions)
        self.bids[domain] = None if bids is None else Bids(bids.logs[positions])

    def about(self) -> dict[str, Any]:
        """See `Engine.about`: the manifest without its files and counts of unknown values, the indexes' measurements,
        and the provenance."""
        return self.info.model_dump(mode="json", exclude={"files", "version", "domains", "unknown"}) | {
            "indexes": {
                name: self.indexes[number].card.model_dump(mode="json")
                | domain.parity.model_dump(mode="json")
                | {"bids": domain.bids and domain.bids.model_dump(mode="json", exclude={"file"})}
                for number, (name, domain) in enumerate(self.info.domains.items())
                if number in self.indexes
            },
            "run": self.provenance,
        }

    def source(self) -> dict[str, str | None]:
        """See `Engine.source`."""
        return {"bundle": self.version, "shard": None if self.portion.shard is None else str(self.portion.shard)}

    def items(self, domain: int) -> Array:
        """See `Engine.items`."""
        return self._items[domain]

    def vectors(self, domain: int, queries: Queries) -> Array:
        """Encode queries, all of one domain (n, interests, dim).

        Raises `AdiError` for vectors that are not finite.
        """
        bags = self.reader.user_bags(queries)
        lap("features")
        vectors = self.towers[domain].vectors(bags)
        lap("tower")
        if not np.isfinite(vectors).all():
            raise AdiError("the model's user vectors are not finite. Export a run whose training has not diverged.")
        return vectors

    def tastes(self, domain: int, queries: Queries) -> Array:
        """See `Engine.tastes`."""
        return self.vectors(domain, queries)[:, :, : self.indexes[domain].card.dim]

    def search(
        self,
        domain: int,
        queries: Queries,
        k: int,
        *,
        allowed: AllowedItems | None = None,
        excluded: Sequence[Array],
        bid_weight: float = 0.0,
    ) -> list[Hits]:
        """See `Engine.search`."""
        bids = self.bids[domain]
        if bid_weight and bids is None:
            raise ArgumentError(
                "bid_weight",
                f"{bid_weight:g}, and this bundle has no bids. Export its run with bid, the items' attribute that "
                "holds them.",
            )
        vectors = self.vectors(domain, queries)
        active, added = self._added_scores(domain, queries.histories)
        if active is not None:
            with THREAD_BUDGET.active():
                return active.search(
                    vectors,
                    k,
                    added=added,
                    excluded=excluded,
                    allowed=allowed,
                    bids=bids,
                    bid_weight=bid_weight,
                    threads=THREAD_BUDGET.share(),
                )
        vectors = vectors[:, :, : self.indexes[domain].card.dim]
        width = k + max((len(positions) for positions in excluded), default=0)
        with THREAD_BUDGET.active():
            scores, positions = self.indexes[domain].search(
                vectors.reshape(-1, vectors.shape[2]),
                width,
                allowed=allowed,
                bids=bids,
                bid_weight=bid_weight,
                threads=THREAD_BUDGET.share(),
            )
        by_query = len(queries), vectors.shape[1], width  # (n, interests, width)
        return [
            merge_interests(*lists, k)
            for lists in zip(scores.reshape(by_query), positions.reshape(by_query), excluded, strict=True)
        ]

    def _added_scores(self, domain: int, histories: Histories) -> tuple[ActiveItems | None, list[AddedScores]]:
        """The items of a domain with scores beside their index's, and those to add for n histories, if any."""
        if self.trends is not None and self.trends.available:
            trending = self.trends.trending[domain]
            added = self.trends.added_scores(domain, trending, histories)
            lap("co_clicks")
            return trending.active, added
        if self.blend is None:
            return None, []
        pairs = self.blend.added(domain, histories, self._items[domain])
        lap("neighbours")
        added = [
            AddedScores(pairs.columns[begin:end], pairs.values[begin:end, 0]) for begin, end in pairwise(pairs.offsets)
        ]
        return self._blended[domain], added


def _has_audiences(info: DomainInfo) -> bool:
    return info.trends is not None and info.trends.audience is not None
