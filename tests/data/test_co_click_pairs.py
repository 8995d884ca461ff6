"""Pairs of queries and items by hand, with few and with many items."""

import numpy as np
import pytest

from adi.data import co_clicks
from adi.data.co_clicks import AGE_FACTOR, Followers, pairs_of


@pytest.mark.parametrize("far", [5, 5_000_000])
def test_pairs_by_hand(far: int) -> None:
    """Two queries with the last sources 0, 1 and 1, 0; source 0 has the items 2 and `far`, source 1 has `far`, 3."""
    values = np.array([[0.5, 1.0], [0.25, 2.0], [0.125, 3.0], [1.0, 4.0]], dtype=np.float32)
    followers = Followers(np.array([0, 2, 4]), np.array([2, far, far, 3]), values)
    pairs = pairs_of(np.array([[-1, 0, 1], [1, 1, 0], [-1, -1, -1]]), followers)
    assert pairs.offsets.tolist() == [0, 3, 6, 6]
    assert pairs.columns.tolist() == [2, 3, far, 2, 3, far]
    earlier = 1 + AGE_FACTOR
    expected = [
        [0, 0, 0.5, 1],
        [1, 4, 0, 0],
        [0.125, 3, 0.25, 2],
        [0.5, 1, 0, 0],
        [0, 0, earlier, 4 * earlier],
        [0.25, 2, 0.125 * earlier, 3 * earlier],
    ]
    np.testing.assert_allclose(pairs.values, expected, rtol=1e-6)


def test_many_terms_give_what_few_do(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    offsets = np.arange(0, 101, 5)  # 20 sources with 5 followers each
    columns = np.concatenate([np.sort(rng.choice(30, 5, replace=False)) for _ in range(20)])
    followers = Followers(offsets, columns, rng.random((100, 3), dtype=np.float32))
    sources = np.where(rng.random((50, 4)) < 0.2, -1, rng.integers(0, 20, (50, 4)))
    few = pairs_of(sources, followers)
    monkeypatch.setattr(co_clicks, "FEW", 0)
    many = pairs_of(sources, followers)
    np.testing.assert_array_equal(few.columns, many.columns)
    np.testing.assert_array_equal(few.offsets, many.offsets)
    np.testing.assert_allclose(few.values, many.values, rtol=1e-6)
