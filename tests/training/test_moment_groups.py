"""Groups of training rows by time, and batches of them."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adi.training.moments import group_cuts


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
