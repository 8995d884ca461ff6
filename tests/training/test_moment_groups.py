"""Groups of training rows by time, and batches of them."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adi.training.moments import Moments, group_cuts
from trending import HOUR, hot_item


@given(times=st.lists(st.integers(0, 300), max_size=60), span=st.integers(1, 50))
def test_groups_are_short_and_complete(times, span):
    times = np.sort(np.array(times, dtype=np.int64))
    cuts = group_cuts(times, span)
    assert cuts[0] == 0
    assert cuts[-1] == len(times)
    for start, stop in pairwise(cuts):
        assert times[stop - 1] - times[start] < span
    assert all(times[later] - times[earlier] >= span for earlier, later in pairwise(cuts[:-1]))


@pytest.mark.parametrize("times", [[], [7], [5, 5, 5]])
def test_few_rows(times):
    assert group_cuts(np.array(times, dtype=np.int64), span=3).tolist() == ([0, len(times)] if times else [0])


def test_the_probability_of_a_negative_follows_the_moments_of_the_batch(trending):
    """Shares of all items sum to 1, and the hot item of the samples' hour has the largest."""
    moments = Moments(trending, trending.clicks("frozen"), batch_size=64)
    rows, items = trending.rows("train"), trending.corpora.retrievable(0)
    late = (trending.times("train")[rows] % HOUR) > HOUR / 2  # when counters know the hour's hot items
    for hour in (1, 4):
        chosen = rows[
            late & (trending.times("train")[rows] // HOUR == hour) & (trending.targets("train", rows)[2] == 0)
        ]
        chosen = chosen[np.argsort(moments.group_of[chosen], kind="stable")]
        known = moments.of_samples(0, chosen)
        shares = known.shares(items)
        assert shares.sum() == pytest.approx(1.0)
        hot = {f"i{hot_item(hour)}", f"i{hot_item(hour) + 1}"}
        assert {trending.items.key(int(items[position])) for position in np.argsort(-shares)[:2]} == hot


def test_no_row_sees_a_click_that_is_not_before_it(trending):
    """A group's moment less the delay is not after the group's first row."""
    clicks = trending.clicks("frozen")
    moments, rows = Moments(trending, clicks, batch_size=64), trending.rows("train")
    assert (moments.moments[moments.group_of[rows]] - clicks.info.delay <= trending.times("train")[rows]).all()
