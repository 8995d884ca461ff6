"""Resampling of users and seeds: how far the means of several models would move with other users and other seeds.

A replicate draws as many users as there are, with replacement, and takes each user with all their queries in all
domains, as often as drawn (a cluster bootstrap: the queries of one user are not independent). All models are averaged
over the same users (paired): what makes a user hard for every model cancels in their difference. The seeds of each
model are drawn with replacement too, independently of the other models', for no seed of one belongs to one of another.

The mean of S values drawn from S varies by (S - 1) / S of what S new seeds would. It is therefore moved away from the
mean of the seeds, by the factor sqrt(S / (S - 1)), which makes up for it. One seed leaves nothing to draw from.
"""

from collections.abc import Sequence

import numpy as np

from adi.data.arrays import Array
from adi.evaluation.totals import Totals

WEIGHTS_AT_ONCE = 1 << 22
"""How often each user was drawn, in a block of replicates: numbers in memory at a time."""


def means(totals: Sequence[Totals], seeds: Sequence[int]) -> Array:
    """The mean gain of each of G models in each of D domains, (G, D); NaN in a domain without queries.

    `seeds` (G,) says how many of the runs are each model's.
    """
    of_runs = np.stack([_per_query(own.sums.sum(axis=0)) for own in totals])  # (D, S)
    parts = np.split(of_runs, np.cumsum(seeds)[:-1], axis=1)
    return np.stack([part.mean(axis=1) for part in parts])


def replicate_means(
    totals: Sequence[Totals], num_users: int, seeds: Sequence[int], *, replicates: int, seed: int
) -> Array:
    """`means` in each of R replicates, (R, G, D); NaN where none was drawn of the users with queries in the domain."""
    random = np.random.default_rng(seed)
    sums = [np.empty((replicates, own.sums.shape[1])) for own in totals]
    size = max(1, WEIGHTS_AT_ONCE // num_users)
    for first in range(0, replicates, size):
        block = slice(first, min(first + size, replicates))
        weights = np.empty((block.stop - first, num_users))
        for drawn in weights:
            drawn[:] = np.bincount(random.integers(num_users, size=num_users), minlength=num_users)
        for own, found in zip(totals, sums, strict=True):
            found[block] = weights[:, own.users] @ own.sums
    of_runs = np.stack([_per_query(found) for found in sums], axis=2)  # (R, S, D)
    parts = np.split(of_runs, np.cumsum(seeds)[:-1], axis=1)
    drawn_means = [
        np.einsum("rs,rsd->rd", _seed_weights(random, count, replicates), part)
        for count, part in zip(seeds, parts, strict=True)
    ]
    return np.stack(drawn_means, axis=1)


def _per_query(sums: Array) -> Array:
    """The mean gain of each run (..., S) from sums (..., 1 + S)."""
    with np.errstate(invalid="ignore"):
        mean: Array = sums[..., 1:] / sums[..., :1]
    return mean


def _seed_weights(random: np.random.Generator, count: int, replicates: int) -> Array:
    """The weight of each of a model's seeds in each replicate, (R, S); those of a replicate sum to 1."""
    if count == 1:
        return np.ones((replicates, 1))
    drawn = random.multinomial(count, np.full(count, 1 / count), size=replicates)
    weights: Array = (1 + np.sqrt(count / (count - 1)) * (drawn - 1)) / count
    return weights
