"""What finds the best items of a domain for queries: exactly, with the model of a run, or by a bundle's index."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch

from adi.data.arrays import Array
from adi.data.dataset import Dataset, Queries
from adi.models.scorer import Score, finite
from adi.training.run import open_run


@dataclass(frozen=True)
class Found:
    """The best of a query, at most k, best first: places in the domain's items, and scores."""

    positions: Array
    scores: Array


class Engine(Protocol):
    """`version` names what answers: a bundle's version, or the run's folder."""

    dataset: Dataset
    version: str

    def items(self, domain: int) -> Array:
        """The numbers of the items that can be retrieved in a domain, ascending."""
        ...

    def search(
        self, domain: int, queries: Queries, k: int, *, allowed: Array | None, excluded: Sequence[Array]
    ) -> list[Found]:
        """The best `k` items for each of n queries, all in one domain.

        Args:
            allowed: places in the domain's items, ascending, that may be found; None: all.
            excluded: for each query the places that it must not find.
        """
        ...


class RunEngine:
    """Scores every item of the corpus with the model of a run, whatever kind it is.

    A domain's first request prepares the scores of its corpus (with a two-tower model: every item's vector), which stay
    in memory for the later ones.
    """

    def __init__(self, run: Path) -> None:
        self.info, self.dataset, self.scorer = open_run(run)
        self.version = str(run)
        self._scores: dict[int, Score] = {}
        self._items: dict[int, Array] = {}

    def items(self, domain: int) -> Array:
        if domain not in self._items:
            self._items[domain] = self.dataset.corpora.retrievable(domain)
        return self._items[domain]

    def search(
        self, domain: int, queries: Queries, k: int, *, allowed: Array | None, excluded: Sequence[Array]
    ) -> list[Found]:
        if domain not in self._scores:
            self._scores[domain] = self.scorer.against(domain, self.items(domain))
        found = []
        for scores, without in zip(finite(self._scores[domain](queries)), excluded, strict=True):
            scores[torch.from_numpy(without)] = -torch.inf
            within = torch.arange(len(scores)) if allowed is None else torch.from_numpy(allowed)
            best = scores[within].topk(min(k, len(within)))
            kept = best.values > -torch.inf
            found.append(Found(within[best.indices[kept]].numpy(), best.values[kept].numpy()))
        return found


def places(items: Array, wanted: Array) -> Array:
    """Where those of `wanted` (n,) that are among ascending `items` (m,) are there, ascending."""
    found = np.searchsorted(items, wanted)
    found = found[found < len(items)]
    return np.unique(found[np.isin(items[found], wanted)])
