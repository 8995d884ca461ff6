"""Who took what, as sparse matrices, and what popularity adds: the ground of the models that are counted."""

from collections.abc import Callable
from typing import Literal, TypeVar

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

from adi.data.arrays import Array
from adi.data.dataset import Corpora, Dataset, Queries

Fitted = TypeVar("Fitted")
Scope = Literal["all", "domain"]
"""Whether a model counts the rows of all domains together, or those of each domain alone."""


def fit_by_scope(dataset: Dataset, scope: Scope, fit: Callable[[sp.csr_array], Fitted]) -> list[Fitted]:
    """What `fit` makes, for each domain, of who took what in training.

    It is given (users, items) with a 1 wherever a user took an item: once, or once for each domain.
    """
    users, items, domains = dataset.targets("train", dataset.rows("train"))
    shape = (dataset.manifest.users, dataset.manifest.items)

    def fitted(chosen: Array | slice) -> Fitted:
        ones = np.ones(len(users[chosen]), np.float32)
        return fit(as_sets(sp.csr_array((ones, (users[chosen], items[chosen])), shape=shape)))

    if scope == "all":
        return [fitted(slice(None))] * len(dataset.domains)
    return [fitted(domains == domain) for domain in range(len(dataset.domains))]


def profiles(queries: Queries, num_items: int, scope: Scope) -> sp.csr_array:
    """How often each query's history holds each item (n, num_items); with ``scope: domain`` in its own domain."""
    histories = queries.histories
    items, offsets = histories.items, histories.offsets
    if scope == "domain":
        items, offsets = histories.newest(len(items) + 1, queries.domains)
    shape = (len(queries), num_items)
    counts = sp.csr_array((np.ones(len(items), np.float32), items, offsets), shape=shape, copy=True)
    counts.sum_duplicates()  # sorts in place, which must not be the query's own history
    return counts


def as_sets(counts: sp.csr_array) -> sp.csr_array:
    """1 wherever there is an entry, in place."""
    counts.sum_duplicates()
    counts.data[:] = 1.0
    return counts


def with_popularity(corpora: Corpora, domain: int, items: Array, domain_prior: float) -> Callable[[Array], Tensor]:
    """A function that finishes scores (n, m) of items (m,) in a domain.

    It breaks ties by the items' popularity there, too small to change any other order, and multiplies what is above 0
    by the share of an item's clicks that are in the domain, to the power of `domain_prior`.
    """
    counts = corpora.counts_of(domain, items).astype(np.float64)
    totals = sum(corpora.counts_of(other, items) for other in range(len(corpora.items)))
    tie = 1e-6 * counts / max(counts.sum(), 1)
    prior = ((counts + 0.5) / (totals + 1.0)) ** domain_prior

    def finish(scores: Array) -> Tensor:
        scores = scores + tie
        return torch.from_numpy(np.where(scores > 0, scores * prior, scores))

    return finish
