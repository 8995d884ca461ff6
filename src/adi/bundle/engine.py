"""A bundle, opened to answer: the user tower of a domain, then the domain's index."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from adi.bundle.manifest import DATA, read_bundle_info
from adi.bundle.provenance import read_origin
from adi.bundle.user_tower import UserTower
from adi.data.arrays import Array
from adi.data.dataset import Dataset, Queries
from adi.errors import AdiError
from adi.features.reader import FeatureReader
from adi.index.allowed import Filter
from adi.index.bids import Bids
from adi.index.vector_index import VectorIndex
from adi.retrieval.engine import Admitted, Found
from adi.thread_budget import CORES
from adi.timing import lap

NOTHING: Array = np.empty(0, dtype=np.int64)


class BundleEngine:
    """Opens a bundle; the vectors stay on disk and come through the page cache.

    Raises `AdiError` for a folder that is no whole bundle of this format (`adi.bundle.manifest.read_bundle_info`).
    """

    def __init__(self, folder: Path, *, verify: bool = False) -> None:
        """With `verify` every byte is compared with the manifest."""
        self.info = read_bundle_info(folder, verify=verify)
        self.folder, self.version = folder, self.info.version
        self.origin = read_origin(folder)
        self.dataset = Dataset(folder / DATA)
        self.reader = FeatureReader(self.dataset)
        domains = self.info.domains.values()
        self.towers = [UserTower(folder, own.tower) for own in domains]
        self.indexes = [VectorIndex.open(folder / own.index) for own in domains]
        self.bids = [None if own.bids is None else Bids(np.load(folder / own.bids.file)) for own in domains]
        self._items = [self.dataset.corpora.stored_retrievable(domain) for domain in range(len(self.towers))]
        for name, own, items, index in zip(self.info.domains, domains, self._items, self.indexes, strict=True):
            if not own.items == len(items) == len(index):
                raise AdiError(
                    f"{folder}: domain '{name}' has {len(items)} items, its index {len(index)} and the manifest "
                    f"{own.items}: parts of different bundles. Export the bundle again."
                )

    def about(self) -> dict[str, Any]:
        return self.info.model_dump(mode="json", exclude={"files", "version", "domains"}) | {
            "indexes": {
                name: index.card.model_dump(mode="json")
                | own.parity.model_dump(mode="json")
                | {"bids": own.bids and own.bids.model_dump(mode="json", exclude={"file"})}
                for (name, own), index in zip(self.info.domains.items(), self.indexes, strict=True)
            },
            "run": self.origin,
        }

    def items(self, domain: int) -> Array:
        return self._items[domain]

    def vectors(self, domain: int, queries: Queries) -> Array:
        """The vectors of queries, all in one domain (n, interests, dim)."""
        bags = self.reader.user_bags(queries)
        lap("features")
        vectors = self.towers[domain].vectors(bags)
        lap("tower")
        if not np.isfinite(vectors).all():
            raise AdiError("the model's user vectors are not finite. Export a run whose training has not diverged.")
        return vectors

    def admit(self, domain: int, positions: Array) -> Admitted:
        return self.indexes[domain].filter(positions)

    def search(
        self,
        domain: int,
        queries: Queries,
        k: int,
        *,
        admitted: Admitted | None,
        excluded: Sequence[Array],
        bid_weight: float = 0.0,
    ) -> list[Found]:
        bids = self.bids[domain]
        if bid_weight and bids is None:
            raise AdiError(
                f"bid_weight = {bid_weight:g}: this bundle has no bids. Export its run with --bid COLUMN, the items' "
                "attribute that holds them."
            )
        assert admitted is None or isinstance(admitted, Filter)
        vectors = self.vectors(domain, queries)
        most = k + max((len(without) for without in excluded), default=0)
        with CORES.at_work():
            scores, positions = self.indexes[domain].search(
                vectors.reshape(-1, vectors.shape[2]),
                most,
                allowed=admitted,
                bids=bids,
                bid_weight=bid_weight,
                threads=CORES.share(),
            )
        by_query = len(queries), vectors.shape[1], most
        return [
            best(*found, k)
            for found in zip(scores.reshape(by_query), positions.reshape(by_query), excluded, strict=True)
        ]


def best(scores: Array, positions: Array, without: Array, k: int) -> Found:
    """The best `k` of what a query's interests (I, n) have found, each item once, by its best score; none of `without`.

    What one interest has found is in order, and has each item once.
    """
    if len(scores) > 1:
        scores, positions = scores.ravel(), positions.ravel()
        order = np.lexsort((positions, -scores))
        first = np.sort(np.unique(positions[order], return_index=True)[1])
        scores, positions = scores[order][first], positions[order][first]
    else:
        (scores,), (positions,) = scores, positions
        if not len(without) and positions[k - 1] >= 0:
            return Found(positions[:k], scores[:k])
    keep = positions >= 0
    if len(without):
        keep &= ~np.isin(positions, without)
    return Found(positions[keep][:k], scores[keep][:k])
