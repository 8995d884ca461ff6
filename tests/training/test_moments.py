"""Groups of training rows by time: what a sample sees of the counters is never later than its own time."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adi.training.moments import group_cuts


@given(
    times=st.lists(st.integers(0, 300), max_size=60),
    span=st.integers(1, 50),
    most=st.integers(1, 10),
)
def test_groups_are_short_small_and_complete(times, span, most):
    times = np.sort(np.array(times, dtype=np.int64))
    cuts = group_cuts(times, span, most)
    assert cuts[0] == 0
    assert cuts[-1] == len(times)
    for start, stop in zip(cuts[:-1], cuts[1:], strict=True):
        assert 1 <= stop - start <= most
        assert times[stop - 1] - times[start] < span


def test_groups_are_as_long_as_they_may_be():
    assert group_cuts(np.array([0, 1, 2, 10, 11, 30]), span=10, most=2).tolist() == [0, 2, 4, 5, 6]
    assert group_cuts(np.array([0, 1, 2, 10, 11, 30]), span=10, most=9).tolist() == [0, 3, 5, 6]
    assert group_cuts(np.array([5, 5, 5]), span=1, most=2).tolist() == [0, 2, 3]


@pytest.mark.parametrize("times", [[], [7]])
def test_few_rows(times):
    assert group_cuts(np.array(times, dtype=np.int64), span=3, most=4).tolist() == [*range(len(times) + 1)]
