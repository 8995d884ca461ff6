"""One domain of a bundle: its user tower, index and bids, each written and compared with the model."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from adi.bundle.manifest import BidsInfo, DomainInfo, Parity, TowerInfo
from adi.bundle.user_tower import UserTower
from adi.data.arrays import Array
from adi.data.bids import MOST_WEIGHT
from adi.data.queries import Queries
from adi.errors import AdiError
from adi.exporting.graph import PaddedTower, without_audience
from adi.exporting.graphs import Graphs, leading
from adi.exporting.packing import PackedTables, padding_of
from adi.exporting.queries import evenly_spaced
from adi.exporting.recall import BlockScores, recall, spreads
from adi.exporting.trends import write_trends
from adi.features.reader import FeatureReader
from adi.index.bids import Bids
from adi.index.build import IndexSettings, build_index
from adi.index.topk import merge_interests
from adi.index.vector_index import VectorIndex
from adi.models.vectors import VectorScorer

TOLERANCE = 1e-5
"""The largest difference between a vector of the graph and the model's, as a share of the largest component."""

WEIGHTS = (0.25, 1.0, 4.0)
"""Bid weights that are checked, as multiples of the weight at which bids spread scores as widely as the model does."""

WEIGHTED_QUERIES = 256
"""The number of queries on which bid weights are checked."""


class DomainExport:
    """Writes a domain into a bundle, and checks it on real queries.

    Args:
        graphs: writes the graphs of all domains.
        items: the vectors of the domain's items (m, dim), perhaps memory-mapped.
        reader: reads the features of the bundle's data.
        queries: of the domain, to tune and confirm its index and to compare its answers with the model's.
        settings: of the index.
    """

    def __init__(
        self,
        bundle: Path,
        graphs: Graphs,
        scorer: VectorScorer,
        items: Array,
        reader: FeatureReader,
        domain: int,
        queries: Queries,
        settings: IndexSettings,
    ) -> None:
        self.bundle, self.graphs, self.scorer, self.items = bundle, graphs, scorer, items
        self.reader, self.domain = reader, domain
        self.queries, self.settings = queries, settings
        self.expected = without_audience(scorer.model, scorer.user_vectors(domain, queries))  # (n, dim + W) or more
        self.tastes = self.expected[..., : self.items.shape[1]]  # without the weights of trends
        self.k = min(settings.k, len(self.items))

    def write(self, tables: PackedTables, log_bids: Array | None) -> DomainInfo:
        """Write the tower, the index and the log bids (m,), where there are bids.

        Raises `AdiError` where one of them does not answer as the model does.
        """
        tower = self._write_tower(tables)
        users = UserTower(self.bundle, tower).vectors(self.reader.user_bags(self.queries))  # (n, interests, dim)
        difference = self._checked_difference(users)
        place = f"indexes/{self.domain}"
        users = users[:, :, : self.items.shape[1]]  # without the weights of trends, which the index does not have
        vectors = users.reshape(-1, users.shape[2])
        index = build_index(self.bundle / place, self.items, vectors, self.settings)
        share = self._recall(index, users, np.arange(len(users)))
        if not share >= self.settings.target:
            raise AdiError(
                f"the index finds {share:.4f} of the model's own top {self.k}, and the target is "
                f"{self.settings.target}. {self._remedy()}"
            )
        return DomainInfo(
            items=len(self.items),
            kind=index.card.kind,
            tower=tower,
            index=place,
            parity=Parity(queries=len(users), k=self.k, vectors=difference, recall=share),
            bids=None if log_bids is None else self._write_bids(index, users, log_bids),
            trends=write_trends(self.bundle, self.graphs, self.scorer, self.domain)
            if self.scorer.model.has_trends
            else None,
        )

    def _write_tower(self, tables: PackedTables) -> TowerInfo:
        """Write the tables and the graph of the user tower."""
        model = self.scorer.model
        domain = leading(model.of_one_domain(int(self.scorer.domain_codes[self.domain])))
        file, first = tables.write(model, domain.first)
        padding = padding_of(self.reader.user_features, first, tables.dataset)
        tower = TowerInfo(tables=file, graph=f"towers/{self.domain}.onnx", slots=padding)
        slots = sum(feature.width for feature in padding)
        inputs = {"rows": torch.zeros(4, slots, model.tables.embedding_dim), "given": torch.ones(4, slots)}
        self.graphs.write(PaddedTower(domain, padding), inputs, "vectors", self.bundle / tower.graph)
        return tower

    def _checked_difference(self, users: Array) -> float:
        """Return the largest difference between the graph's vectors and the model's; raises `AdiError` if too large."""
        expected = self.expected
        difference = float(np.abs(users - expected.numpy().reshape(users.shape)).max() / expected.abs().max())
        if not difference <= TOLERANCE:
            raise AdiError(
                f"the exported user tower differs from the model by {difference:.2g} of the largest component, and "
                f"{TOLERANCE:g} is allowed. Nothing was published; this is a bug in adi, please report it."
            )
        return difference

    def _write_bids(self, index: VectorIndex, users: Array, logs: Array) -> BidsInfo:
        """Write the log bids; raises `AdiError` where the index misses its target with them."""
        file = f"bids/{self.domain}.npy"
        (self.bundle / file).parent.mkdir(exist_ok=True)
        np.save(self.bundle / file, logs)
        rows, bids = evenly_spaced(len(users), WEIGHTED_QUERIES), Bids(logs)
        weights, recalls = self._weights(logs), []
        for weight in weights:
            share = self._recall(index, users, rows, bids, weight)
            if not share >= self.settings.target:
                raise AdiError(
                    f"with a bid weight of {weight:.3g} the index finds {share:.4f} of the exact top {self.k}, and "
                    f"the target is {self.settings.target}. {self._remedy()}"
                )
            recalls.append(share)
        return BidsInfo(file=file, queries=len(rows), weights=weights, recalls=tuple(recalls))

    def _weights(self, logs: Array) -> tuple[float, ...]:
        """Return `WEIGHTS` as bid weights, by the standard deviation over items of scores and of log bids."""
        rows = evenly_spaced(len(self.queries), WEIGHTED_QUERIES)
        of_scores = float(spreads(self._scores(rows), len(rows), len(self.items)).mean())
        of_bids = float(logs.std(dtype=np.float64))
        balanced = of_scores / of_bids if min(of_scores, of_bids) else 1.0
        return tuple(min(share * balanced, MOST_WEIGHT) for share in WEIGHTS)

    def _remedy(self) -> str:
        return (
            f"Lower the target, or set exact_below above {len(self.items)} for an exact index. Nothing was published."
        )

    def _recall(
        self, index: VectorIndex, users: Array, rows: Array, bids: Bids | None = None, weight: float = 0.0
    ) -> float:
        """Return the mean share of the model's top k that the index finds for the queries at `rows`.

        Args:
            users: the bundle's vectors of all queries (n, interests, dim).
        """
        none, lists = np.empty(0, dtype=np.int64), np.full((len(rows), self.k), -1)
        for row, positions in zip(rows, lists, strict=True):
            interests = index.search(users[row], self.k, bids=bids, bid_weight=weight)
            top = merge_interests(*interests, none, self.k)
            positions[: len(top.positions)] = top.positions
        return recall(self._scores(rows, bids, weight), lists, len(self.items), TOLERANCE)

    def _scores(self, rows: Array, bids: Bids | None = None, weight: float = 0.0) -> BlockScores:
        """Return the model's scores of the queries at `rows`, with bids by their weight."""
        tastes = self.tastes[torch.from_numpy(rows)]

        def scores(queries: slice, items: slice) -> Tensor:
            vectors = torch.from_numpy(np.array(self.items[items]))  # a copy, as torch takes no read-only memory
            of_block = self.scorer.model.scores(tastes[queries], vectors)
            return of_block if bids is None else of_block + weight * torch.from_numpy(bids.logs[items])

        return scores
