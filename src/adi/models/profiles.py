"""Sparse interaction matrices, and popularity as a prior and tie-breaker: shared by the models that count."""

from collections.abc import Callable
from typing import Literal, TypeVar

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

from adi.data.arrays import Array
from adi.data.corpora import Corpora
from adi.data.dataset import Dataset
from adi.data.histories import Histories
from adi.data.profiles import frequencies
from adi.data.queries import Queries

Fitted = TypeVar("Fitted")
Scope = Literal["all", "domain"]
"""Whether a model counts the rows of all domains together, or of each domain separately."""


def fit_by_scope(dataset: Dataset, scope: Scope, fit: Callable[[sp.csr_array], Fitted]) -> list[Fitted]:
    """Apply `fit` to the training interactions; returns its result for each domain.

    `fit` gets a matrix (users, items) with a 1 wherever a user interacted with an item. With ``scope: all`` it is
    called once, and all domains get the same result; with ``scope: domain``, once per domain.
    """
    users, items, domains = dataset.targets("train", dataset.rows("train"))
    shape = (dataset.manifest.users, dataset.manifest.items)

    def fit_rows(selected: Array | slice) -> Fitted:
        ones = np.ones(len(users[selected]), np.float32)
        return fit(binarise(sp.csr_array((ones, (users[selected], items[selected])), shape=shape)))

    if scope == "all":
        return [fit_rows(slice(None))] * len(dataset.domains)
    return [fit_rows(domains == domain) for domain in range(len(dataset.domains))]


def profiles(queries: Queries, num_items: int, scope: Scope) -> sp.csr_array:
    """Count each item in each query's history (n, num_items); with ``scope: domain``, only in the query's domain."""
    return frequencies(histories_in(queries, scope), num_items, recency=0.0)


def histories_in(queries: Queries, scope: Scope) -> Histories:
    """The queries' histories; with ``scope: domain``, what is in the query's domain alone."""
    return queries.histories.only_in(queries.domains) if scope == "domain" else queries.histories


def binarise(counts: sp.csr_array) -> sp.csr_array:
    """Set every stored entry to 1, in place."""
    counts.sum_duplicates()
    counts.data[:] = 1.0
    return counts


def with_popularity(corpora: Corpora, domain: int, items: Array, domain_prior: float) -> Callable[[Array], Tensor]:
    """Build the function that adds popularity to the scores (n, m) of items (m,) in a domain.

    It breaks ties by the items' popularity in the domain, by amounts too small to change any other order. It then
    multiplies scores above 0 by the share of the item's clicks that are in this domain, to the power `domain_prior`.
    """
    counts = corpora.counts_of(domain, items).astype(np.float64)
    totals = sum(corpora.counts_of(d, items) for d in range(len(corpora.items)))
    tie = 1e-6 * counts / max(counts.sum(), 1)
    prior = ((counts + 0.5) / (totals + 1.0)) ** domain_prior

    def finish(scores: Array) -> Tensor:
        scores = scores + tie
        return torch.from_numpy(np.where(scores > 0, scores * prior, scores))

    return finish
