"""The items of each domain."""

from dataclasses import dataclass

import numpy as np

from adi.data.arrays import Array

POOLED_ROWS = 100
"""Rows of all domains that are added to the counts by age of each: a small one has few rows that still count."""


@dataclass(frozen=True)
class Corpora:
    """The items of each domain, ascending, with training counts; `eligible` marks those that can be retrieved.

    The arrays are memory maps of the dataset's files: item numbers int32, counts int64.
    """

    items: list[Array]
    counts: list[Array]
    eligible: list[Array]

    def retrievable(self, domain: int) -> Array:
        """The items that can be retrieved in a domain, ascending, int64."""
        return self.stored_retrievable(domain).astype(np.int64)

    def stored_retrievable(self, domain: int) -> Array:
        """The same as int32; without a copy where all items of the domain are eligible."""
        items, eligible = self.items[domain], self.eligible[domain]
        return items if eligible.all() else items[eligible]

    def counts_of(self, domain: int, items: Array) -> Array:
        """Training rows of each item in a domain; 0 for an item that is not in its corpus."""
        corpus = self.items[domain]
        positions = np.minimum(np.searchsorted(corpus, items.astype(corpus.dtype)), len(corpus) - 1)
        return np.where(corpus[positions] == items, self.counts[domain][positions], 0)

    def log_popularity(self, domain: int, items: Array) -> Array:
        """Log of each item's share of the domain's training rows, with one row added for every item of the corpus."""
        total = self.counts[domain].sum() + len(self.items[domain])
        logs: Array = np.log((self.counts_of(domain, items) + 1) / total).astype(np.float32)
        return logs


def with_all_domains(counted: Array, everywhere: Array) -> Array:
    """The counts of a domain's items (I,) with `POOLED_ROWS` more, shared out by their counts in all domains (I,)."""
    total = everywhere.sum()
    return counted + POOLED_ROWS * everywhere / total if total > 0 else counted
