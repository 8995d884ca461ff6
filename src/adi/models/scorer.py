"""What an evaluation, or a retrieval, needs of a model."""

from typing import Protocol

from torch import Tensor

from adi.data.arrays import Array
from adi.data.dataset import Queries


class Score(Protocol):
    """Scores of n queries, all in one domain, for a fixed list of m items: (n, m), the higher the better."""

    def __call__(self, queries: Queries, /) -> Tensor: ...


class Scorer(Protocol):
    """A fitted model."""

    def against(self, domain: int, items: Array) -> Score:
        """A function that scores queries in `domain` for `items` (m,)."""
        ...
