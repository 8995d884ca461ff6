"""Measures of lists against values by hand, and the lists of an evaluation against plain sorts."""

from math import log2

import numpy as np
import pytest

from adi.data.corpora import Corpora
from adi.evaluation.list_measures import head_share, novelty, overlaps, popularity_rank
from adi.evaluation.ranking import list_length, rank, sampled
from adi.runs.lists import QueryLists
from evaluation.test_ranking import random_table, rows_of, unseen

CORPORA = Corpora(
    items=[np.arange(5, dtype=np.int32), np.array([2, 7], dtype=np.int32)],
    counts=[np.array([1, 6, 2, 1, 0]), np.array([4, 0])],
    eligible=[np.array([True, True, True, True, False]), np.array([True, True])],
)
"""Two domains. In the first, items 0 to 3 can be retrieved, with 1, 6, 2 and 1 training rows."""


def test_novelty_is_the_mean_of_bits() -> None:
    # 10 rows, and one more for each of 5 items: p = 2/15, 7/15, 3/15, 2/15
    bits = [-log2(rows / 15) for rows in (2, 7, 3)]
    assert novelty(np.array([[0, 1], [2, -1]]), CORPORA, 0) == pytest.approx(sum(bits) / 3)
    assert novelty(np.array([[7]]), CORPORA, 1) == pytest.approx(log2(6))
    assert novelty(np.array([[-1]]), CORPORA, 0) is None


def test_popularity_rank_is_a_share_of_the_items_and_ties_share_their_ranks() -> None:
    # ranks of 4 items: item 1 first, item 2 second, items 0 and 3 both 3.5
    assert popularity_rank(np.array([[1, 2]]), CORPORA, 0) == pytest.approx((1 + 2) / 2 / 4)
    assert popularity_rank(np.array([[0, 3, -1]]), CORPORA, 0) == pytest.approx(3.5 / 4)
    assert popularity_rank(np.array([[0, 1, 2, 3]]), CORPORA, 0) == pytest.approx(0.5 + 0.5 / 4)
    assert popularity_rank(np.empty((0, 2), dtype=int), CORPORA, 0) is None


def test_the_head_has_half_of_the_rows() -> None:
    assert head_share(np.array([[1, 2], [1, 0]]), CORPORA, 0) == 0.5  # item 1 alone has 6 of 10 rows
    assert head_share(np.array([[2, 7]]), CORPORA, 1) == 0.5
    even = Corpora([np.arange(4, dtype=np.int32)], [np.array([3, 3, 3, 3])], [np.ones(4, dtype=bool)])
    assert head_share(np.array([[0, 1, 2]]), even, 0) == pytest.approx(2 / 3)  # items 0 and 1 are half, no third
    assert head_share(np.array([[-1]]), CORPORA, 0) is None


def test_overlap_of_domains_weighs_items_by_their_places() -> None:
    lists = {
        "a": QueryLists(np.arange(2), np.array([[1, 2], [1, 3]])),  # 1: 2/4, 2: 1/4, 3: 1/4
        "b": QueryLists(np.arange(3), np.array([[1, -1], [2, -1], [2, 9]])),  # 1: 1/4, 2: 2/4, 9: 1/4
        "c": QueryLists(np.arange(0), np.empty((0, 0), dtype=int)),
    }
    assert overlaps(lists) == {
        "a": {"a": 1.0, "b": 0.5, "c": None},
        "b": {"a": 0.5, "b": 1.0, "c": None},
        "c": {"a": None, "b": None, "c": None},
    }


def test_the_lists_of_a_ranking_are_those_of_a_sort(dataset, monkeypatch) -> None:
    monkeypatch.setattr("adi.evaluation.ranking.QUERIES_AT_ONCE", 2)
    scorer, ks = random_table(dataset, tied=False), (2, 40, 50)
    rows, corpus = rows_of(dataset, "test", 0), dataset.corpora.retrievable(0)
    kept = rank(
        scorer, dataset, "test", 0, rows, candidates=None, causal=True, exclude_seen=True, ks=ks, num_lists=4
    ).lists
    assert kept.rows.tolist() == rows[sampled(len(rows), 4)].tolist()
    assert len(kept.rows) == 4 < len(rows)
    for row, listed in zip(kept.rows, kept.items, strict=True):
        scores = scorer.values[0].numpy()[dataset.targets("test", np.array([row]))[0][0]]
        items = unseen(dataset, "test", row, corpus=corpus, causal=True)
        expected = sorted(items, key=lambda item: -scores[item])
        assert listed.tolist() == expected + [-1] * (len(corpus) - len(expected))
    none = rank(scorer, dataset, "test", 0, rows, candidates=None, causal=True, exclude_seen=True, ks=ks).lists
    assert none.items.shape == (0, len(corpus))


def test_the_sample_is_the_same_each_time_and_whole_where_rows_are_few() -> None:
    assert sampled(1000, 5).tolist() == sampled(1000, 5).tolist()
    assert sampled(3, 5).tolist() == [0, 1, 2]
    assert list_length((100, 10, 50)) == 50
