"""Merging the lists of several interests into one top k, without excluded items."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from adi.index.topk import merge_interests


def merged(lists, excluded, k):
    """The merged top k as (position, score); each list is of (position, score), padded as an index pads it."""
    width = k + len(excluded)
    padded = [[*pairs, *[(-1, -np.inf)] * (width - len(pairs))] for pairs in lists]
    positions, scores = np.moveaxis(np.asarray(padded, dtype=np.float64), 2, 0)
    hits = merge_interests(
        scores.astype(np.float32), positions.astype(np.int64), np.asarray(excluded, dtype=np.int64), k
    )
    return list(zip(hits.positions.tolist(), hits.scores.tolist(), strict=True))


def test_one_interest():
    assert merged([[(4, 3.0), (0, 2.0), (7, 2.0)]], [], 3) == [(4, 3.0), (0, 2.0), (7, 2.0)]
    assert merged([[(4, 3.0), (0, 2.0)]], [], 3) == [(4, 3.0), (0, 2.0)]
    assert merged([[(4, 3.0), (0, 2.0), (7, 1.0)]], [4], 2) == [(0, 2.0), (7, 1.0)]


def test_an_item_of_several_interests_counts_once_with_its_highest_score():
    lists = [[(4, 3.0), (0, 2.0)], [(0, 5.0), (9, 2.5)]]
    assert merged(lists, [], 2) == [(0, 5.0), (4, 3.0)]


def test_equal_scores_are_ordered_by_position():
    lists = [[(8, 2.0), (9, 2.0)], [(1, 2.0), (8, 2.0)]]
    assert merged(lists, [], 2) == [(1, 2.0), (8, 2.0)]


def test_everything_excluded():
    assert merged([[(4, 3.0), (0, 2.0)]], [0, 4], 2) == []
    assert merged([[(4, 3.0)], [(0, 2.0)]], [0, 4], 2) == []


@given(
    scores=st.integers(1, 4).flatmap(
        lambda interests: st.lists(
            st.lists(st.integers(-2, 2), min_size=interests, max_size=interests), min_size=1, max_size=9
        )
    ),
    excluded=st.sets(st.integers(0, 8), max_size=4),
    k=st.integers(1, 6),
)
def test_equals_a_sort_of_the_best_scores(scores, excluded, k):
    """Each interest returns its top k + e of all items, as an exact index does."""
    excluded = sorted(item for item in excluded if item < len(scores))
    ranked = [
        sorted(((item, values[interest]) for item, values in enumerate(scores)), key=lambda pair: (-pair[1], pair[0]))
        for interest in range(len(scores[0]))
    ]
    best = {item: max(values) for item, values in enumerate(scores) if item not in excluded}
    expected = sorted(best.items(), key=lambda pair: (-pair[1], pair[0]))[:k]
    assert merged([pairs[: k + len(excluded)] for pairs in ranked], excluded, k) == expected
