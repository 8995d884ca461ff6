"""Scorers: the interface through which evaluation and retrieval use a model."""

from collections.abc import Callable, Sequence
from typing import Protocol

import torch
from torch import Tensor

from adi.data.arrays import Array
from adi.data.blend import Blend
from adi.data.queries import Queries
from adi.errors import AdiError


class Score(Protocol):
    """Scores n queries, all in one domain, for a fixed list of m items: (n, m), higher is better."""

    def __call__(self, queries: Queries, /) -> Tensor: ...


class Scorer(Protocol):
    """A trained or fitted model, ready to score."""

    def against(self, domain: int, items: Array) -> Score:
        """Build the function that scores queries in `domain` for `items` (m,)."""
        ...


class ScorerByDomain:
    """A scorer that delegates to one scorer per domain, in the order of the domains, and adds the scores of a blend.

    Args:
        scorers: all may be the same object, and are unless domains keep the weights of different epochs.
        blend: counts the blend, when it is first needed; None: without a blend.
    """

    def __init__(self, scorers: Sequence[Scorer], blend: Callable[[], Blend] | None = None) -> None:
        self.scorers, self.blend = tuple(scorers), blend

    def against(self, domain: int, items: Array) -> Score:
        score = self.scorers[domain].against(domain, items)
        return score if self.blend is None else blended(score, self.blend(), domain, items)


def blended(score: Score, blend: Blend, domain: int, items: Array) -> Score:
    """The score with a blend's scores for `items` (m,), ascending, added."""

    def sums(queries: Queries) -> Tensor:
        scores = score(queries).clone()
        pairs = blend.added(domain, queries.histories, items)
        rows, columns = torch.from_numpy(pairs.rows), torch.from_numpy(pairs.columns)
        scores[rows, columns] += torch.from_numpy(pairs.values[:, 0])
        return scores

    return sums


def finite(scores: Tensor) -> Tensor:
    """Return the scores unchanged; raises `AdiError` if any is NaN or infinite, as they cannot be ranked."""
    low, high = scores.aminmax()
    if not (torch.isfinite(low) and torch.isfinite(high)):
        raise AdiError("the model's scores are not finite: its training has diverged. Train it with a lower lr.")
    return scores
