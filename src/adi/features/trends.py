"""The features of an item at a moment: log shares of its decayed clicks, and its age."""

import numpy as np

from adi.data.arrays import Array
from adi.data.clicks import Counts

LEAST_COUNT = 0.01
"""The decayed clicks of an item in all domains, by the longest half-life, below which it is *quiet*: its features are
those of an item without clicks, so that all quiet items have the same. A click is heard for 6.6 half-lives."""

ITEM_SMOOTHING = 0.02
"""Clicks added to each item's count in all domains together."""

DOMAIN_SMOOTHING = 20.0
"""Clicks added to a domain, divided among items as those of all domains are: a domain with few clicks follows them."""

SCALE = 3.0
"""Logs are divided by this, so that features are of the order of 1."""


def num_trend_features(num_half_lives: int) -> int:
    """The number T of features that `trend_features` returns."""
    return 2 * num_half_lives + 1


def item_shares(counts: Counts) -> tuple[Array, Array]:
    """Smoothed shares of each item in the decayed clicks of the domain, and of all domains, both (g, m, K)."""
    domain_total, overall_total = counts.domain_total[:, None], counts.overall_total[:, None]
    return _shares(counts.in_domain, counts.overall, domain_total, overall_total, counts.num_items)


def is_active(counts: Counts) -> Array:
    """Whether each item is not quiet at each moment (g, m)."""
    active: Array = counts.overall[:, :, -1] >= LEAST_COUNT  # no half-life counts more than the longest, the last
    return active


def trend_features(counts: Counts) -> Array:
    """Features of each item at each moment (g, m, T) float32, T = 2 K + 1.

    The first K are logs of the item's share of the domain's decayed clicks, the next K of its share in all domains,
    both times the number of items: 0 for an item of average popularity. The last is the log of its age. Quiet items all
    have the features of `quiet_features`.
    """
    moments, items = np.nonzero(is_active(counts))
    features = np.repeat(quiet_features(counts)[:, None], counts.age.shape[1], axis=1)
    features[moments, items] = _features(
        counts.in_domain[moments, items],
        counts.overall[moments, items],
        counts.domain_total[moments],
        counts.overall_total[moments],
        counts.age[moments, items],
        counts.num_items,
    )
    return features


def quiet_features(counts: Counts) -> Array:
    """The features of all quiet items at each moment (g, T) float32."""
    none, never = np.zeros_like(counts.domain_total), np.full(len(counts.domain_total), -1.0)
    return _features(none, none, counts.domain_total, counts.overall_total, never, counts.num_items)


def _features(
    in_domain: Array, overall: Array, domain_total: Array, overall_total: Array, age: Array, num_items: int
) -> Array:
    """Features of n pairs of moment and item (n, T), from the attributes of `Counts` for each pair."""
    shares = np.concatenate(_shares(in_domain, overall, domain_total, overall_total, num_items), axis=1)
    ages = np.where(age < 0, -SCALE, np.log1p(np.maximum(age, 0.0))).astype(np.float32)
    features: Array = np.concatenate([np.log(shares * num_items), ages[:, None]], axis=1).astype(np.float32)
    features /= SCALE
    return features


def _shares(
    in_domain: Array, overall: Array, domain_total: Array, overall_total: Array, num_items: int
) -> tuple[Array, Array]:
    """Smoothed shares in the domain and overall, from counts and totals of shapes that fit each other."""
    overall = (overall + ITEM_SMOOTHING) / (overall_total + ITEM_SMOOTHING * num_items)
    return (in_domain + DOMAIN_SMOOTHING * overall) / (domain_total + DOMAIN_SMOOTHING), overall
