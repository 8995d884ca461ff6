"""A trained two-tower model as a scorer: encodes a domain's items once, then multiplies with each query's vector."""

from collections.abc import Iterator
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from weakref import finalize

import numpy as np
import torch
from torch import Tensor

from adi.batch import FeatureBags, moved, moved_bags, tensors
from adi.data.arrays import Array
from adi.data.audiences import AudienceLog
from adi.data.clicks import ClickLog
from adi.data.corpora import Corpora
from adi.data.dataset import Dataset
from adi.data.queries import Queries
from adi.features.bags import FeatureArrays
from adi.features.reader import FeatureReader
from adi.models.audiences import build_audiences
from adi.models.live_scores import scores_with_trends
from adi.models.scorer import Score
from adi.models.two_tower import TwoTower
from adi.processes.group import ALONE, Processes

ITEMS_AT_ONCE = 1 << 14


class VectorScorer:
    """Encodes users and items of a domain with the model in evaluation mode, on the device of its weights.

    The returned vectors are on the CPU, like everything that ranks and searches.

    Args:
        audiences: where audiences of items are written when they are first needed, and read if they are there already;
            None: a folder that is removed with the scorer.
        processes: that have the model together. All call the methods together, for the same items; each encodes a part.
        corpora: whose counts are the popularity of items, those that the model was trained with; by default of the
            dataset.
    """

    def __init__(
        self,
        model: TwoTower,
        dataset: Dataset,
        audiences: Path | None = None,
        processes: Processes = ALONE,
        *,
        corpora: Corpora | None = None,
    ) -> None:
        self.model, self.dataset, self.processes = model, dataset, processes
        self.corpora = dataset.corpora if corpora is None else corpora
        self._folder = audiences
        self.reader = FeatureReader(dataset)
        self.domain_codes, self.num_domains = dataset.domain_codes, len(dataset.coding.domains)

    @torch.no_grad()
    def item_blocks(self, domain: int, items: Array) -> Iterator[Tensor]:
        """Yield the vectors of `items` in a domain, `ITEMS_AT_ONCE` after the other (b, dim), of this process alone."""
        self.model.eval()
        for first in range(0, len(items), ITEMS_AT_ONCE):
            block = items[first : first + ITEMS_AT_ONCE].astype(np.int64)
            bags = self._bags(self.reader.item_bags(block, np.full(len(block), domain)))
            popularity = moved(torch.from_numpy(self.corpora.log_popularity(domain, block)), self.device)
            yield self.model.encode_items(bags, self._offsets(domain, len(block)), popularity).cpu()

    def item_vectors(self, domain: int, items: Array) -> Tensor:
        """Vectors of `items`, at least one, in a domain (m, dim)."""
        share = items[self.processes.shares(len(items))]
        vectors, first = torch.empty(0), 0
        for block in self.item_blocks(domain, share):
            if not first:
                vectors = torch.empty(len(share), block.shape[1])
            vectors[first : first + len(block)] = block  # into its place, or all of them would be in memory twice
            first += len(block)
        return self.processes.rejoined(vectors, len(items))

    @torch.no_grad()
    def user_vectors(self, domain: int, queries: Queries) -> Tensor:
        """Vectors of queries, all of one domain (n, dim)."""
        self.model.eval()
        bags = self._bags(self.reader.user_bags(queries))
        return self.model.encode_users(bags, self._offsets(domain, len(queries))).cpu()

    def audiences(self, clicks: ClickLog) -> AudienceLog | None:
        """The audiences of items by the clicks of a log; None for a model without audiences."""
        if not self.model.audience_dim:
            return None
        if self._folder is None:  # of several processes of a machine, all have the folder of the first
            made = Path(mkdtemp(prefix="adi-audiences-")) if self.processes.first else None
            self._folder = self.processes.objects(made)[0]
            assert self._folder is not None
            if made is not None:
                finalize(self, rmtree, made)
        return build_audiences(
            self._folder / ("all" if clicks.has_test else "known"),
            self.dataset,
            clicks,
            lambda domain, queries: self.user_vectors(domain, queries).numpy(),
            self.model.audience_dim,
            by_domain=self.model.tables_by_domain,
            processes=self.processes,
        )

    @property
    def device(self) -> torch.device:
        """The device of the model's weights."""
        return self.model.tables.device

    def _bags(self, arrays: FeatureArrays) -> FeatureBags:
        return moved_bags(tensors(arrays), self.device)

    def against(self, domain: int, items: Array) -> Score:
        vectors = self.item_vectors(domain, items)

        def score(queries: Queries) -> Tensor:
            users = self.user_vectors(domain, queries)
            if self.model.has_trends:
                code = int(self.domain_codes[domain])
                audiences = None if queries.clicks is None else self.audiences(queries.clicks)
                return scores_with_trends(self.model, domain, items, vectors, users, queries, audiences, code=code)
            return self.model.scores(users, vectors)

        return score

    def _offsets(self, domain: int, count: int) -> tuple[int, ...]:
        code = self.domain_codes[domain]
        return tuple(0 if d <= code else count for d in range(self.num_domains + 1))
