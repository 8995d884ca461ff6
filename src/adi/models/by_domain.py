"""The scorer of a run: each domain has a scorer, the same one where all domains are scored by the same weights."""

from collections.abc import Sequence

from adi.data.arrays import Array
from adi.models.scorer import Score, Scorer


class ScorerByDomain:
    """Scores a query with the scorer of its domain; `scorers` has one for each domain, in their order."""

    def __init__(self, scorers: Sequence[Scorer]) -> None:
        self.scorers = tuple(scorers)

    def against(self, domain: int, items: Array) -> Score:
        return self.scorers[domain].against(domain, items)
