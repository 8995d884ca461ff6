"""What an evaluation, or a retrieval, needs of a model."""

from typing import Protocol

import torch
from torch import Tensor

from adi.data.arrays import Array
from adi.data.dataset import Queries
from adi.errors import AdiError


class Score(Protocol):
    """Scores of n queries, all in one domain, for a fixed list of m items: (n, m), the higher the better."""

    def __call__(self, queries: Queries, /) -> Tensor: ...


class Scorer(Protocol):
    """A fitted model."""

    def against(self, domain: int, items: Array) -> Score:
        """A function that scores queries in `domain` for `items` (m,)."""
        ...


def finite(scores: Tensor) -> Tensor:
    """The scores; raises `AdiError` if any is NaN or infinite, since no ranking by it would mean anything."""
    low, high = scores.aminmax()
    if not (torch.isfinite(low) and torch.isfinite(high)):
        raise AdiError("the model's scores are not finite: its training has diverged. Train it with a lower lr.")
    return scores
