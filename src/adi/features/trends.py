"""The features of an item at a moment: log shares of its decayed clicks, and its age."""

import numpy as np

from adi.data.arrays import Array
from adi.data.clicks import Counts

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
    added = ITEM_SMOOTHING * counts.num_items
    overall = (counts.overall + ITEM_SMOOTHING) / (counts.overall_total + added)[:, None]
    in_domain = (counts.in_domain + DOMAIN_SMOOTHING * overall) / (counts.domain_total + DOMAIN_SMOOTHING)[:, None]
    return in_domain, overall


def trend_features(counts: Counts) -> Array:
    """Features of each item at each moment (g, m, T) float32, T = 2 K + 1.

    The first K are logs of the item's share of the domain's decayed clicks, the next K of its share in all domains,
    both times the number of items: 0 for an item of average popularity. The last is the log of its age.
    """
    in_domain, overall = item_shares(counts)
    features = np.empty((*counts.age.shape, in_domain.shape[2] + overall.shape[2] + 1), dtype=np.float32)
    np.concatenate([in_domain, overall], axis=2, out=features[:, :, :-1])
    features[:, :, :-1] *= counts.num_items
    np.log(features[:, :, :-1], out=features[:, :, :-1])
    features[:, :, -1] = np.where(counts.age < 0, -SCALE, np.log1p(np.maximum(counts.age, 0.0)))
    features /= SCALE
    return features
