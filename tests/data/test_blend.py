"""Blends: sums of similarities by hand and against a dense twin, weights, and neighbours on disk."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from adi.data import blend as module
from adi.data.blend import SCALE, Blend, BlendWeights, ByScope, ItemNeighbours
from adi.data.histories import Histories
from adi.data.profiles import distinct_profiles

EVERYWHERE = np.array(
    [
        [0.0, 0.5, 0.0, 0.0],
        [0.5, 0.0, 0.25, 0.0],
        [0.0, 0.25, 0.0, 0.0],
        [0.0, 0.0, 0.0, 0.0],
    ],
    dtype=np.float32,
)
HERE = np.array(
    [
        [0.0, 0.0, 0.0, 0.75],
        [0.0, 0.0, 0.0, 0.0],
        [0.0, 0.0, 0.0, 0.0],
        [0.75, 0.0, 0.0, 0.0],
    ],
    dtype=np.float32,
)


WEIGHTS = BlendWeights(2.0, 3.0)


def histories(*rows):
    """Histories of (item, domain), oldest first."""
    taken = [pair for row in rows for pair in row]
    items, domains = (np.array([pair[side] for pair in taken], dtype=np.int64) for side in (0, 1))
    return Histories(items, domains, np.cumsum([0, *map(len, rows)]))


def blend(weights=WEIGHTS):
    return Blend(by_scope(EVERYWHERE, HERE), by_scope(HERE, EVERYWHERE), {0: BlendWeights(1.0, 0.0), 1: weights})


def by_scope(everywhere, here):
    return ByScope(ItemNeighbours(sp.csr_array(everywhere)), {1: ItemNeighbours(sp.csr_array(here))})


def dense(pairs, num_items):
    scores = np.zeros((len(pairs.offsets) - 1, num_items, pairs.values.shape[1]))
    scores[pairs.rows, pairs.columns] = pairs.values
    return scores


def test_added_scores_by_hand():
    asked = histories([(0, 1), (2, 0)], [], [(3, 1)])
    scores = dense(blend().added(1, asked, np.arange(4)), 4)[..., 0]
    expected = np.zeros((3, 4))
    expected[0, 1] = 2 * np.log1p(SCALE * 0.75)  # 0.5 of item 0 and 0.25 of item 2
    expected[0, 3] = 3 * np.log1p(SCALE * 0.75)  # of item 0, which was taken in domain 1
    expected[2, 0] = 3 * np.log1p(SCALE * 0.75)
    np.testing.assert_allclose(scores, expected, rtol=1e-6)


def test_neighbours_of_a_domain_count_its_own_items_alone():
    in_another = dense(blend().added(1, histories([(0, 0)]), np.arange(4)), 4)
    assert in_another[0, 3] == 0
    assert in_another[0, 1] > 0


def test_an_item_counts_once_and_old_items_not_at_all(monkeypatch):
    once, twice = (blend().added(1, histories(row), np.arange(4)) for row in ([(0, 1)], [(0, 1), (0, 1)]))
    assert once.values.tolist() == twice.values.tolist()
    monkeypatch.setattr(module, "LAST", 1)
    newest = blend().added(1, histories([(0, 1), (2, 1)]), np.arange(4))
    assert newest.columns.tolist() == [1]
    np.testing.assert_allclose(newest.values, 2 * np.log1p(SCALE * 0.25), rtol=1e-6)


def test_repeats_by_hand():
    """Item 0 is in the history of domain 1 twice, before and after item 2; item 3 was taken in domain 0."""
    asked = histories([(3, 0), (0, 1), (2, 1), (0, 1)])
    scores = dense(blend(BlendWeights(0.0, 0.0, 2.0, 0.5)).added(1, asked, np.arange(4)), 4)[0, :, 0]
    twice, once, oldest = 1 + 3**-0.3, 2**-0.3, 4**-0.3
    both = [2.5 * np.log1p(SCALE * frequency) for frequency in (twice, once)]
    np.testing.assert_allclose(scores, [both[0], 0, both[1], 2 * np.log1p(SCALE * oldest)], rtol=1e-6)
    np.testing.assert_array_equal(asked.items, [3, 0, 2, 0])


def test_repeats_count_in_the_whole_history(monkeypatch):
    monkeypatch.setattr(module, "LAST", 1)
    added = blend(BlendWeights(0.0, 0.0, 1.0)).added(1, histories([(0, 1), (2, 1)], []), np.arange(4))
    assert added.columns.tolist() == [0, 2]
    assert added.offsets.tolist() == [0, 2, 2]


def test_followers_by_hand():
    """Of the items of domain 1, oldest first 2 and 0, item 3 follows item 0 everywhere, and item 1 both in domain 1."""
    asked = histories([(2, 1), (3, 0), (0, 1)])
    scores = dense(blend(BlendWeights(0.0, 0.0, follows=2.0)).added(1, asked, np.arange(4)), 4)[0, :, 0]
    expected = 2 * np.log1p(SCALE * np.array([0.8 * 0.75, 0, 0, 0.75]))
    np.testing.assert_allclose(scores, expected, rtol=1e-6)
    scores = dense(blend(BlendWeights(0.0, 0.0, follows_here=1.0)).added(1, asked, np.arange(4)), 4)[0, :, 0]
    np.testing.assert_allclose(scores, np.log1p(SCALE * np.array([0, 0.5 + 0.8 * 0.25, 0, 0])), rtol=1e-6)


def test_ten_items_have_followers():
    asked = [histories([(item, 1), *[(2, 1)] * others]) for item, others in ((0, 9), (0, 10))]
    scores = [dense(blend(BlendWeights(0.0, 0.0, follows=1.0)).added(1, one, np.arange(4)), 4) for one in asked]
    assert (scores[0][0, 3, 0] > 0, scores[1][0, 3, 0] > 0) == (True, False)


def test_without_a_weight_nothing_is_added():
    added = blend(BlendWeights(0.0, 0.0)).added(1, histories([(0, 1)], [(2, 0)]), np.arange(4))
    assert (added.columns.tolist(), added.offsets.tolist()) == ([], [0, 0, 0])


def test_columns_are_positions_among_the_items():
    pairs = blend().added(1, histories([(0, 1)]), np.array([1, 3]))
    assert pairs.columns.tolist() == [0, 1]
    assert blend().added(1, histories([(0, 1)]), np.array([2])).columns.tolist() == []
    assert blend().added(1, histories([(0, 1)]), np.array([], dtype=np.int64)).offsets.tolist() == [0, 0]


def test_a_domain_without_neighbours_of_its_own_has_those_of_all():
    pairs = blend().added(0, histories([(0, 0)]), np.arange(4))
    assert pairs.columns.tolist() == [1]
    np.testing.assert_allclose(pairs.values, np.log1p(SCALE * 0.5), rtol=1e-6)


@given(st.data())
def test_values_are_those_of_dense_matrices(data):
    num_items = data.draw(st.integers(1, 6))
    entries = st.lists(st.sampled_from([0.0, 0.25, 0.5]), min_size=num_items**2, max_size=num_items**2)
    matrices = [np.array(data.draw(entries), dtype=np.float32).reshape(num_items, num_items) for _ in range(2)]
    rows = data.draw(
        st.lists(
            st.lists(st.tuples(st.integers(0, num_items - 1), st.integers(0, 1)), max_size=5), min_size=1, max_size=4
        )
    )
    items = np.array(sorted(data.draw(st.sets(st.integers(0, num_items - 1)))), dtype=np.int64)
    blended = Blend(by_scope(*matrices), by_scope(*matrices[::-1]), {1: BlendWeights(*[1.0] * 6)})
    values = dense(blended.values(1, histories(*rows), items), len(items))
    for query, row in enumerate(rows):
        everything = sorted({item for item, _ in row})
        here = sorted({item for item, domain in row if domain == 1})
        for kind, taken in enumerate((everything, here)):
            expected = np.log1p(SCALE * matrices[kind][taken].sum(axis=0))[items]
            np.testing.assert_allclose(values[query, :, kind], expected, rtol=1e-5, atol=1e-6)
        for kind, taken in ((2, [item for item, _ in row]), (3, [item for item, domain in row if domain == 1])):
            frequency = np.zeros(num_items)
            for later, item in enumerate(reversed(taken)):
                frequency[item] += (1 + later) ** -0.3
            np.testing.assert_allclose(values[query, :, kind], np.log1p(SCALE * frequency)[items], rtol=1e-5)
            recent = np.zeros(num_items)
            for later, item in enumerate(reversed(taken)):
                recent[item] += 0.8**later
            expected = np.log1p(SCALE * recent @ matrices[3 - kind])[items]
            np.testing.assert_allclose(values[query, :, kind + 2], expected, rtol=1e-5, atol=1e-6)


def test_neighbours_are_read_as_they_were_written(tmp_path):
    ItemNeighbours(sp.csr_array(EVERYWHERE)).save(tmp_path / "neighbours")
    read = ItemNeighbours.open(tmp_path / "neighbours", 4)
    asked = distinct_profiles(histories([(1, 0), (2, 0)]), 4)
    assert read.sums(asked).toarray().tolist() == [[0.5, 0.25, 0.25, 0.0]]
    assert ItemNeighbours.none(4).sums(asked).toarray().tolist() == [[0.0] * 4]


def test_a_history_keeps_its_order():
    asked = histories([(3, 1), (0, 1), (2, 0)])
    blend().added(1, asked, np.arange(4))
    assert asked.items.tolist() == [3, 0, 2]


@pytest.mark.parametrize("weights", [BlendWeights(0.0, 3.0), BlendWeights(2.0, 0.0)])
def test_a_weight_of_zero_adds_nothing(weights):
    scores = dense(blend(weights).added(1, histories([(0, 1)]), np.arange(4)), 4)[0, :, 0]
    assert (scores[1] > 0) == (weights.everywhere > 0)
    assert (scores[3] > 0) == (weights.here > 0)
