"""How many lists to read, worked out by hand: 4 lists, 2 queries, the top 4 and 8."""

import numpy as np
import pytest

from adi.index.card import Reach
from adi.index.probe_depth import SHARES, Depths, measured_reach

ORDER = np.asarray([[2, 0, 3, 1], [1, 3, 0, 2]])
LIST_OF = np.asarray([[2, 2, 2, 0, 0, 3, 2, 0], [1, 1, 3, 1, 3, 0, 0, 2]])
# turns: 0 0 0 1 1 2 0 1 and 0 0 1 0 1 2 2 3; of the top 4, 6 in 8 at the first turn and 2 at the second


def at(share):
    return SHARES.tolist().index(share)


def test_measured():
    four, eight = measured_reach(ORDER, LIST_OF, 4, nprobe=1)
    assert (four.depth, four.nprobe, eight.depth, eight.nprobe) == (4, 1, 8, 2)
    assert [four.probes[at(share)] for share in (0.0, 0.5, 0.7, 0.8, 1.0)] == [0, 1, 1, 2, 2]
    # 7 of 16 at the first turn, 5 at the second, 3 at the third, 1 at the last
    assert [eight.probes[at(share)] for share in (0.25, 0.5, 0.7, 0.8, 0.9, 0.95)] == [1, 2, 2, 3, 3, 4]


def test_the_last_depth_is_what_there_is():
    assert [reach.depth for reach in measured_reach(ORDER, LIST_OF, 3, nprobe=1)] == [3, 6, 8]


def evenly(lists):
    """The top items evenly over the first `lists` lists."""
    return tuple(int(np.ceil(share * lists)) for share in SHARES)


class TestDepths:
    depths = Depths(
        [Reach(depth=10, nprobe=100, probes=evenly(100)), Reach(depth=20, nprobe=200, probes=evenly(200))], 1000
    )

    @pytest.mark.parametrize(("depth", "probes"), [(1, 100), (10, 100), (20, 200), (21, 1000)])
    def test_without_a_filter(self, depth, probes):
        assert self.depths.probes_for(depth) == probes

    def test_between_depths(self):
        assert 100 < self.depths.probes_for(15) < 200

    def test_everything_admitted(self):
        assert self.depths.probes_among(10, np.ones(1000)) == 100

    def test_half_admitted_reaches_twice_as_deep(self):
        assert self.depths.probes_among(10, np.full(1000, 0.5)) == pytest.approx(200, abs=1)

    def test_a_filter_that_shuts_only_what_is_far(self):
        assert self.depths.probes_among(10, np.arange(1000) < 100) == 100

    def test_never_fewer_than_without_a_filter(self):
        """Half of the top 10 of all lies in 50 lists; of 9 that remain, the nearest 40 lists whole, in 48."""
        half = [Reach(depth=10, nprobe=50, probes=evenly(100)), Reach(depth=20, nprobe=100, probes=evenly(200))]
        assert Depths(half, 1000).probes_among(9, np.where(np.arange(1000) < 40, 1.0, 0.9)) == 50

    def test_too_little_admitted_reads_all(self):
        assert self.depths.probes_among(10, np.full(1000, 0.4)) == 1000
