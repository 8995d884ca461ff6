"""Probe depths worked out by hand: 4 lists, 2 queries, the top 4 and 8."""

import numpy as np
import pytest

from adi.index.card import ProbeDepth
from adi.index.probe_depth import SHARES, ProbeDepths, measure_probe_depths

ORDER = np.asarray([[2, 0, 3, 1], [1, 3, 0, 2]])
LIST_OF = np.asarray([[2, 2, 2, 0, 0, 3, 2, 0], [1, 1, 3, 1, 3, 0, 0, 2]])
# ranks of their lists: 0 0 0 1 1 2 0 1 and 0 0 1 0 1 2 2 3; of the top 4, 6 in 8 are in the first list, 2 in the second


def at(share):
    return SHARES.tolist().index(share)


def test_measured():
    four, eight = measure_probe_depths(ORDER, LIST_OF, 4, nprobe=1)
    assert (four.depth, four.nprobe, eight.depth, eight.nprobe) == (4, 1, 8, 2)
    assert [four.probes[at(share)] for share in (0.0, 0.5, 0.7, 0.8, 1.0)] == [0, 1, 1, 2, 2]
    # 7 of 16 in the first list, 5 in the second, 3 in the third, 1 in the last
    assert [eight.probes[at(share)] for share in (0.25, 0.5, 0.7, 0.8, 0.9, 0.95)] == [1, 2, 2, 3, 3, 4]


def test_the_last_depth_is_that_of_the_ranking():
    assert [point.depth for point in measure_probe_depths(ORDER, LIST_OF, 3, nprobe=1)] == [3, 6, 8]


def evenly(lists):
    """The top items, spread evenly over the first `lists` lists."""
    return tuple(int(np.ceil(share * lists)) for share in SHARES)


class TestProbeDepths:
    depths = ProbeDepths(
        [ProbeDepth(depth=10, nprobe=100, probes=evenly(100)), ProbeDepth(depth=20, nprobe=200, probes=evenly(200))],
        1000,
    )

    @pytest.mark.parametrize(("depth", "probes"), [(1, 100), (10, 100), (20, 200), (21, 1000)])
    def test_without_a_filter(self, depth, probes):
        assert self.depths.probes(depth) == probes

    def test_between_depths(self):
        assert 100 < self.depths.probes(15) < 200

    def test_everything_allowed(self):
        assert self.depths.probes_under(10, np.ones(1000)) == 100

    def test_half_allowed_reads_twice_as_deep(self):
        assert self.depths.probes_under(10, np.full(1000, 0.5)) == pytest.approx(200, abs=1)

    def test_a_filter_of_distant_items_changes_nothing(self):
        assert self.depths.probes_under(10, np.arange(1000) < 100) == 100

    def test_never_fewer_than_without_a_filter(self):
        """Half of the top 10 is in 50 lists. With the nearest 40 allowed whole, half of the remaining 9 is in 48."""
        half = [
            ProbeDepth(depth=10, nprobe=50, probes=evenly(100)),
            ProbeDepth(depth=20, nprobe=100, probes=evenly(200)),
        ]
        assert ProbeDepths(half, 1000).probes_under(9, np.where(np.arange(1000) < 40, 1.0, 0.9)) == 50

    def test_too_few_allowed_reads_all(self):
        assert self.depths.probes_under(10, np.full(1000, 0.4)) == 1000
