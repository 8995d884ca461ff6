"""Allowed items: membership, and positions that are refused."""

import numpy as np
import pytest

from adi.errors import AdiError
from adi.index import allowed as allowed_module
from adi.index.allowed import AllowedItems


@pytest.mark.parametrize("positions", [[], [0], [18], [0, 3, 7, 8, 9, 18], list(range(19))])
def test_contains(positions):
    items = AllowedItems(np.asarray(positions, dtype=np.int64), 19)
    assert len(items) == len(positions)
    assert np.flatnonzero(items.contains(np.arange(19))).tolist() == positions


def test_a_sample_is_evenly_spaced(monkeypatch):
    monkeypatch.setattr(allowed_module, "SAMPLE", 3)
    assert AllowedItems(np.arange(5, 12), 20).sample.tolist() == [5, 8, 11]
    assert AllowedItems(np.arange(5, 8), 20).sample.tolist() == [5, 6, 7]


@pytest.mark.parametrize(
    ("positions", "message"),
    [
        ([1, 5000], r"allowed: position 5000 is not in this index, whose positions are 0 to 4999"),
        ([-1, 3], r"allowed: position -1 is not in this index"),
        ([4, 7, 7], r"allowed: position 7 comes after 7\. Sort"),
        ([4, 9, 2], r"allowed: position 2 comes after 9\. Sort"),
    ],
)
def test_positions_that_are_refused(positions, message):
    with pytest.raises(AdiError, match=message):
        AllowedItems(np.asarray(positions), 5000)
