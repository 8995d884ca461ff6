"""Catalogue coverage: how many distinct items the top-k lists of many queries hold."""

import torch
from torch import Tensor

from adi.evaluation.topk import best, pays


class Coverage:
    """Gathers, block of queries by block, which of m items are among the best k of any query, for several k.

    Of few items, lists cost more than all else in an evaluation, and after a few thousand of them hardly any holds an
    item that no earlier one held. So there, once new items are rare, lists are made only of the queries that can still
    add one: those where fewer than k items score above the best of the items that no list of k holds. The counts stay
    exact. Of many items, `adi.evaluation.topk` makes lists in less time than it takes to see who needs one.

        coverage = Coverage(num_items=1000, ks=(10, 50))
        coverage.add(scores)    # (n, 1000); what is left out has -inf
        coverage.counts()       # {10: 123, 50: 456}
    """

    def __init__(self, *, num_items: int, ks: tuple[int, ...]) -> None:
        self._lengths = tuple(min(k, num_items) for k in ks)
        self._lists_are_cheap = pays(num_items, max(self._lengths))
        self._unseen = {k: torch.zeros(num_items) for k in ks}  # added to a score: -inf once a list of k holds the item
        self._news_is_rare = False

    def add(self, scores: Tensor) -> None:
        """Count the lists of n more queries: scores (n, m), -inf for an item that is not to be in the query's list."""
        choose = self._news_is_rare and not self._lists_are_cheap
        listed = scores[self._may_hold_news(scores)] if choose else scores
        values, columns = best(listed, self._lengths)
        news = torch.zeros(len(listed), dtype=torch.bool)
        for k, unseen in self._unseen.items():
            items = columns[:, :k]
            news |= (unseen[items] == 0).any(dim=1)
            unseen[items[values[:, :k] > -torch.inf]] = -torch.inf
        self._news_is_rare = int(news.sum()) < len(scores) / 4

    def counts(self) -> dict[int, int]:
        """The number of distinct items in the lists of each k."""
        return {k: int((unseen < 0).sum()) for k, unseen in self._unseen.items()}

    def _may_hold_news(self, scores: Tensor) -> Tensor:
        """Which queries (n,) have an item among their best k that no list of k holds so far, for any k."""
        possible = torch.zeros(len(scores), dtype=torch.bool)
        for k, unseen in self._unseen.items():
            newest = (scores + unseen).amax(dim=1, keepdim=True)  # (n, 1)
            possible |= (scores - newest).sign_().relu_().sum(dim=1) < k
        return possible
