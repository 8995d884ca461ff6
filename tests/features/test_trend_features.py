"""Trend features of items by hand, and of quiet items, which all have the same."""

import numpy as np
import pytest

from adi.data.clicks import Counts
from adi.features.trends import LEAST_COUNT, is_active, num_trend_features, quiet_features, trend_features


def counts_of(overall, in_domain, age):
    """The counts of items at one moment, for two half-lives."""
    return Counts(
        in_domain=np.array([in_domain], dtype=np.float32),
        overall=np.array([overall], dtype=np.float32),
        domain_total=np.array([[5.0, 30.0]], dtype=np.float32),
        overall_total=np.array([[10.0, 60.0]], dtype=np.float32),
        age=np.array([age]),
        num_items=50,
    )


def test_features_are_log_shares_and_the_age():
    counts = counts_of([(1.0, 4.0)], [(0.5, 2.0)], [7.0])
    overall = [(1 + 0.02) / (10 + 1), (4 + 0.02) / (60 + 1)]
    in_domain = [(0.5 + 20 * overall[0]) / 25, (2 + 20 * overall[1]) / 50]
    expected = [*np.log(np.multiply([*in_domain, *overall], 50)), np.log1p(7)]
    (features,) = trend_features(counts)[0]
    assert features == pytest.approx(np.divide(expected, 3), rel=1e-5)
    assert len(features) == num_trend_features(2)


def test_all_quiet_items_have_the_features_of_one_that_was_never_clicked():
    least = LEAST_COUNT
    counts = counts_of(
        [(0.0, 0.0), (0.0, 0.9 * least), (0.5, 1.0), (0.0, least)],
        [(0.0, 0.0), (0.0, 0.5 * least), (0.5, 1.0), (0.0, 0.0)],
        [-1.0, 900.0, 7.0, 900.0],
    )
    (features,) = trend_features(counts)
    assert is_active(counts).tolist() == [[False, False, True, True]]
    (quiet,) = quiet_features(counts)
    np.testing.assert_array_equal(features[:2], [quiet, quiet])
    assert quiet[-1] == -1
    assert (features[2:] != quiet).all(axis=1).tolist() == [True, False]  # the last has no click in the domain
    assert features[3, -1] > 0
