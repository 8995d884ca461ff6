"""Bootstrap over users and seeds: how much the means of several models vary with other users and other seeds.

A replicate draws as many users as there are, with replacement, and counts all queries of a user, in all domains, as
often as the user is drawn: a cluster bootstrap, since the queries of one user are not independent. All models are
averaged over the same users (a paired bootstrap), so that what makes a user hard for every model cancels in their
difference. The seeds of each model are drawn with replacement too, independently of the other models' seeds.

The mean of S values drawn from S varies by (S - 1) / S of what the mean of S new seeds would. Its distance from the
mean of all seeds is therefore multiplied by sqrt(S / (S - 1)). A single seed is never resampled.
"""

from collections.abc import Sequence

import numpy as np

from adi.comparison.totals import Totals
from adi.data.arrays import Array

WEIGHTS_AT_ONCE = 1 << 22
"""Weights of users in memory at a time, over a block of replicates."""


def means(totals: Sequence[Totals], seeds: Sequence[int]) -> Array:
    """The mean gain of each of G models in each of D domains, (G, D); NaN in a domain without queries.

    `seeds` (G,) is the number of runs of each model.
    """
    by_run = np.stack([_mean_gains(domain.sums.sum(axis=0)) for domain in totals])  # (D, S)
    by_model = np.split(by_run, np.cumsum(seeds)[:-1], axis=1)
    return np.stack([runs.mean(axis=1) for runs in by_model])


def replicate_means(
    totals: Sequence[Totals], num_users: int, seeds: Sequence[int], *, replicates: int, seed: int
) -> Array:
    """`means` in each of R replicates, (R, G, D); NaN where no user with queries in the domain is drawn."""
    random = np.random.default_rng(seed)
    sums = [np.empty((replicates, domain.sums.shape[1])) for domain in totals]
    block_size = max(1, WEIGHTS_AT_ONCE // num_users)
    for first in range(0, replicates, block_size):
        block = slice(first, min(first + block_size, replicates))
        weights = np.empty((block.stop - first, num_users))
        for row in weights:
            row[:] = np.bincount(random.integers(num_users, size=num_users), minlength=num_users)
        for domain, domain_sums in zip(totals, sums, strict=True):
            domain_sums[block] = weights[:, domain.users] @ domain.sums
    by_run = np.stack([_mean_gains(domain_sums) for domain_sums in sums], axis=2)  # (R, S, D)
    by_model = np.split(by_run, np.cumsum(seeds)[:-1], axis=1)
    replicated = [
        np.einsum("rs,rsd->rd", _seed_weights(random, count, replicates), runs)
        for count, runs in zip(seeds, by_model, strict=True)
    ]
    return np.stack(replicated, axis=1)


def _mean_gains(sums: Array) -> Array:
    """The mean gain of a query in each run (..., S), from sums (..., 1 + S)."""
    with np.errstate(invalid="ignore"):
        mean: Array = sums[..., 1:] / sums[..., :1]
    return mean


def _seed_weights(random: np.random.Generator, count: int, replicates: int) -> Array:
    """The weight of each of a model's seeds in each replicate, (R, S); the weights of a replicate sum to 1."""
    if count == 1:
        return np.ones((replicates, 1))
    draws = random.multinomial(count, np.full(count, 1 / count), size=replicates)
    weights: Array = (1 + np.sqrt(count / (count - 1)) * (draws - 1)) / count
    return weights
