"""The tastes of users who click, by the user towers of a bundle."""

from collections.abc import Callable, Sequence

import numpy as np

from adi.data.arrays import Array
from adi.data.audiences import CLICKS_AT_ONCE, tastes_of
from adi.data.dataset import Dataset
from adi.data.histories import Histories
from adi.data.live_audiences import Clicker
from adi.data.manifest import NULL_ROW
from adi.data.queries import Queries

Encode = Callable[[int, Queries], Array]
"""The vectors of queries, all of one domain (n, interests, dim + W)."""


class ClickerTastes:
    """Encodes clickers as users of the domain of their click, with its context and their last items before it.

    Args:
        dataset: the bundle's data.
        dim: width of a taste.
    """

    def __init__(self, dataset: Dataset, encode: Encode, dim: int) -> None:
        self.dataset, self.encode, self.dim = dataset, encode, dim
        self._context = [feature.name for feature in dataset.manifest.side("context")]

    def __call__(self, clickers: Sequence[Clicker]) -> Array:
        """The tastes of clickers (n, dim)."""
        tastes = np.empty((len(clickers), self.dim), dtype=np.float32)
        domains = np.array([clicker.domain for clicker in clickers])
        for domain in np.unique(domains).tolist():
            (rows,) = np.nonzero(domains == domain)
            for first in range(0, len(rows), CLICKS_AT_ONCE):
                block = rows[first : first + CLICKS_AT_ONCE]
                queries = self._queries(domain, [clickers[row] for row in block])
                tastes[block] = tastes_of(self.encode(domain, queries), self.dim)
        return tastes

    def _queries(self, domain: int, clickers: Sequence[Clicker]) -> Queries:
        """The queries of clickers, all of one domain; unknown users have the number -1."""
        numbers = (self.dataset.users.find(clicker.user) for clicker in clickers)
        last = np.array([pair for clicker in clickers for pair in clicker.last], dtype=np.int64).reshape(-1, 2)
        lengths = [len(clicker.last) for clicker in clickers]
        missing = (NULL_ROW,) * len(self._context)
        codes = np.array([clicker.context or missing for clicker in clickers]).reshape(len(clickers), -1)
        return Queries(
            users=np.array([-1 if number is None else number for number in numbers]),
            domains=np.full(len(clickers), domain),
            histories=Histories(last[:, 0], last[:, 1], np.cumsum([0, *lengths])),
            context=dict(zip(self._context, codes.T, strict=True)),
        )
