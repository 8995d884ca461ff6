"""Scorers: the interface through which evaluation and retrieval use a model."""

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

from adi.data.arrays import Array
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
    """A scorer that delegates to one scorer per domain, in the order of the domains.

    All of them may be the same object, and are unless domains keep the weights of different epochs.
    """

    def __init__(self, scorers: Sequence[Scorer]) -> None:
        self.scorers = tuple(scorers)

    def against(self, domain: int, items: Array) -> Score:
        return self.scorers[domain].against(domain, items)


def finite(scores: Tensor) -> Tensor:
    """Return the scores unchanged; raises `AdiError` if any is NaN or infinite, as they cannot be ranked."""
    low, high = scores.aminmax()
    if not (torch.isfinite(low) and torch.isfinite(high)):
        raise AdiError("the model's scores are not finite: its training has diverged. Train it with a lower lr.")
    return scores
