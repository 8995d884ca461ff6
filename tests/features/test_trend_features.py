"""Trend features by hand: shares, their smoothing, and ages."""

import numpy as np
import pytest

from adi.data.clicks import Counts
from adi.features.trends import (
    DOMAIN_SMOOTHING,
    ITEM_SMOOTHING,
    LEAST_COUNT,
    SCALE,
    is_active,
    item_shares,
    num_trend_features,
    quiet_features,
    trend_features,
)


def counts(in_domain, overall, age, *, num_items=4):
    """Counts of items with one half-life at one moment; of all items, those that are not given have no click."""
    in_domain, overall = (np.array(values, dtype=np.float32)[None, :, None] for values in (in_domain, overall))
    totals = (values.sum(axis=1) for values in (in_domain, overall))
    return Counts(in_domain, overall, *totals, np.array([age], dtype=float), num_items)


def test_by_hand():
    features = trend_features(counts([6.0, 0.0], [30.0, 10.0], [0.0, -1.0]))
    assert features.shape == (1, 2, num_trend_features(1)) == (1, 2, 3)
    assert features.dtype == np.float32
    total = 40 + 4 * ITEM_SMOOTHING
    overall = np.array([30, 10]) + ITEM_SMOOTHING
    overall /= total
    in_domain = (np.array([6, 0]) + DOMAIN_SMOOTHING * overall) / (6 + DOMAIN_SMOOTHING)
    np.testing.assert_allclose(features[0, :, 0], np.log(4 * in_domain) / SCALE, rtol=1e-5)
    np.testing.assert_allclose(features[0, :, 1], np.log(4 * overall) / SCALE, rtol=1e-5)
    assert features[0, :, 2].tolist() == [0.0, -1.0]


def test_shares_sum_to_one():
    everywhere = counts([3.0, 0.0, 1.0, 0.0], [9.0, 2.0, 1.0, 0.0], [1.0] * 4)
    for shares in item_shares(everywhere):
        assert shares.sum() == pytest.approx(1.0)


def test_a_domain_with_few_clicks_follows_all_domains():
    """Ten clicks in a domain move its shares by a third of the way from those of all domains."""
    in_domain, overall = item_shares(counts([10.0, 0.0], [500.0, 500.0], [1.0, 1.0], num_items=2))
    assert overall[0, :, 0] == pytest.approx([0.5, 0.5])
    assert in_domain[0, 0, 0] == pytest.approx(0.5 + 0.5 * 10 / (10 + DOMAIN_SMOOTHING))
    none, _ = item_shares(counts([0.0, 0.0], [500.0, 500.0], [1.0, 1.0], num_items=2))
    assert none[0, :, 0] == pytest.approx([0.5, 0.5])


def test_a_log_without_any_click_yet():
    features = trend_features(counts([0.0, 0.0], [0.0, 0.0], [-1.0, -1.0], num_items=2))
    np.testing.assert_allclose(features[0], [[0.0, 0.0, -1.0]] * 2, atol=1e-6)


def test_all_quiet_items_have_the_features_of_one_that_was_never_clicked():
    overall = [0.0, 0.9 * LEAST_COUNT, 1.0, LEAST_COUNT]
    some = counts([0.0, 0.5 * LEAST_COUNT, 1.0, 0.0], overall, [-1.0, 900.0, 7.0, 900.0])
    (features,), (quiet,) = trend_features(some), quiet_features(some)
    assert is_active(some).tolist() == [[False, False, True, True]]
    np.testing.assert_array_equal(features[:2], [quiet, quiet])
    assert quiet[-1] == -1
    assert (features[2:] != quiet).all()
    assert features[3, -1] > 0
