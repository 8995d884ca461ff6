"""A run, opened to answer requests exactly, by scoring every item with its model."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from adi.data.arrays import Array
from adi.data.bids import log_bids
from adi.data.queries import Queries
from adi.errors import AdiError, ArgumentError
from adi.index.allowed import AllowedItems
from adi.index.topk import Hits
from adi.models.model import Model
from adi.models.scorer import Score, finite
from adi.training.fitted import open_run

SCORES_AT_ONCE = 1 << 25
"""Scores in memory at a time, where many queries are answered at once."""


class RunEngine:
    """Answers from a run of any model (`adi.retrieval.engine.Engine`), on its own data or on other data.

    The first request in a domain prepares the scores of its corpus (the item vectors, for a two-tower model), which
    stay in memory.

    Args:
        bid: the items' attribute that holds their bids, for requests with a bid weight.
        model: the run's model, if it is not one of adi's own (`adi.training.fitted.open_run`).
        prepared: another dataset than the run's, whose users, items and histories are used.
        verify: compare every file of the run and of the dataset with its digest, and not only with its size.
    """

    def __init__(
        self,
        run: Path,
        *,
        bid: str | None = None,
        model: str | Model | None = None,
        prepared: str | Path | None = None,
        verify: bool = False,
    ) -> None:
        self.info, self.dataset, self.scorer = open_run(run, model, prepared=prepared, verify=verify)
        self.version, self.bid = str(run), bid
        if bid is not None:
            self.dataset.attributes(0, [bid])  # raises for an attribute that does not exist
        self._log_bids: dict[int, Tensor] = {}
        self._scores: dict[int, Score] = {}
        self._items: dict[int, Array] = {}

    def about(self) -> dict[str, Any]:
        """See `Engine.about`."""
        return {
            "model": self.info.model,
            "created": self.info.created,
            "fingerprint": self.dataset.manifest.fingerprint,
        }

    def source(self) -> dict[str, str | None]:
        """See `Engine.source`."""
        manifest = self.dataset.manifest
        return {
            "run": self.info.digest,
            "data": manifest.fingerprint,
            "attributes": manifest.attributes_digest,
            "bid": self.bid,
        }

    def items(self, domain: int) -> Array:
        """See `Engine.items`."""
        if domain not in self._items:
            self._items[domain] = self.dataset.corpora.retrievable(domain)
        return self._items[domain]

    def log_bids(self, domain: int) -> Tensor:
        """Return the log bid of each item of a domain (m,); raises `AdiError` where there are none."""
        if self.bid is None:
            raise ArgumentError("bid", "missing. A bid weight needs the name of the items' attribute with their bids.")
        if domain not in self._log_bids:
            self._log_bids[domain] = torch.from_numpy(log_bids(self.dataset, domain, self.bid))
        return self._log_bids[domain]

    def tastes(self, domain: int, queries: Queries) -> Array:
        """See `Engine.tastes`; a run has them in its bundle alone."""
        raise AdiError(f"{self.version}: a run. Its bundle has the vectors of users: adi export {self.version}")

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
        queries, hits = self.dataset.at_end(queries), list[Hits]()
        queries_at_once = max(1, SCORES_AT_ONCE // len(self.items(domain)))
        for first in range(0, len(queries), queries_at_once):
            part = slice(first, first + queries_at_once)
            hits += self._search(domain, queries.part(part.start, part.stop), k, allowed, excluded[part], bid_weight)
        return hits

    def _search(
        self,
        domain: int,
        queries: Queries,
        k: int,
        allowed: AllowedItems | None,
        excluded: Sequence[Array],
        bid_weight: float,
    ) -> list[Hits]:
        """Answer queries by one matrix of scores."""
        bid_part = bid_weight * self.log_bids(domain) if bid_weight else None
        if domain not in self._scores:
            self._scores[domain] = self.scorer.against(domain, self.items(domain))
        all_scores = finite(self._scores[domain](queries))  # (n, m)
        if bid_part is not None:
            all_scores = all_scores + bid_part
        searched = torch.arange(all_scores.shape[1]) if allowed is None else torch.from_numpy(allowed.positions)
        hits = []
        for scores, left_out in zip(all_scores, excluded, strict=True):
            scores[torch.from_numpy(left_out)] = -torch.inf
            top = searched[_top(scores[searched], k)]
            top = top[scores[top] > -torch.inf]
            hits.append(Hits(top.numpy(), scores[top].numpy()))
        return hits


def _top(scores: Tensor, k: int) -> Tensor:
    """Return the indices of the `k` highest of scores (m,), best first; of equal scores, lower indices first."""
    if k < len(scores):
        high = torch.nonzero(scores >= scores.topk(k).values[-1]).flatten()
        return high[scores[high].sort(descending=True, stable=True).indices[:k]]
    return scores.sort(descending=True, stable=True).indices
