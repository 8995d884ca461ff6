"""Indexes cut into shards: together they find what the whole index finds."""

import numpy as np
import pytest

from adi.index.allowed import AllowedItems
from adi.index.bids import Bids

SHARDS = 3


@pytest.fixture
def shards(either):
    positions = [np.arange(first, len(either), SHARDS) for first in range(SHARDS)]
    return [(kept, either.cut(kept)) for kept in positions]


def merged(answers, k):
    """The best k of the shards' answers for each query, equal scores by position."""
    scores, positions = (np.concatenate(part, axis=1) for part in zip(*answers, strict=True))
    order = np.lexsort((positions, -scores), axis=1)[:, :k]
    return np.take_along_axis(scores, order, axis=1), np.take_along_axis(positions, order, axis=1)


def answers_of(shards, queries, k, allowed=None, bids=None, bid_weight=0.0):
    answers = []
    for kept, index in shards:
        here = None if allowed is None else AllowedItems(np.flatnonzero(np.isin(kept, allowed)), len(kept))
        weights = None if bids is None else Bids(bids.logs[kept])
        scores, rows = index.search(queries, k, allowed=here, bids=weights, bid_weight=bid_weight)
        answers.append((scores, np.where(rows < 0, -1, kept[rows])))
    return answers


@pytest.mark.parametrize("k", [1, 20, 300])
def test_the_merged_answer_is_that_of_the_whole_to_the_bit(either, shards, catalog, k):
    expected = either.search(catalog.queries[:15], k)
    np.testing.assert_array_equal(merged(answers_of(shards, catalog.queries[:15], k), k), expected)


@pytest.mark.parametrize("threads", [1, 2, 4])
@pytest.mark.parametrize("num_queries", [1, 2, 30])
def test_an_exact_score_is_the_same_to_the_bit_however_it_is_found(exact, catalog, num_queries, threads):
    """The library chooses among several ways to multiply, by the numbers of queries, items and threads."""
    queries = catalog.queries[:num_queries]
    expected = [exact.search(query[None], 50) for query in queries]
    positions = np.stack([row for _, (row,) in expected])
    scores = np.stack([row for (row,), _ in expected])
    for searched in (exact, exact.cut(np.arange(len(exact)))):
        np.testing.assert_array_equal(searched.search(queries, 50, threads=threads), (scores, positions))
    kept = np.arange(0, len(exact), 7)
    shard_scores, rows = exact.cut(kept).search(queries, 50, threads=threads)
    under_a_filter = exact.search(queries, 50, allowed=AllowedItems(kept, len(exact)), threads=threads)
    np.testing.assert_array_equal((shard_scores, kept[rows]), under_a_filter)
    for row in range(num_queries):
        both = np.isin(kept[rows[row]], positions[row])
        known = dict(zip(positions[row].tolist(), scores[row].tolist(), strict=True))
        assert [known[item] for item in kept[rows[row]][both].tolist()] == shard_scores[row][both].tolist()
        assert both.any()


@pytest.mark.parametrize("share", [0.5, 0.02])
def test_filters_are_exact_in_an_exact_index_and_as_complete_in_one_with_lists(either, shards, catalog, share):
    draw = np.random.default_rng(5)
    allowed = np.sort(draw.choice(len(either), int(share * len(either)), replace=False))
    positions = merged(answers_of(shards, catalog.queries[:15], 20, allowed), 20)[1]
    if either.card.kind == "exact":
        expected = either.search(catalog.queries[:15], 20, allowed=AllowedItems(allowed, len(either)))[1]
        np.testing.assert_array_equal(positions, expected)
    hits = [
        np.isin(catalog.best(query, 20, allowed)[1], row).mean()
        for query, row in zip(catalog.queries[:15], positions, strict=True)
    ]
    assert np.mean(hits) >= 0.95


def test_bids(exact, catalog):
    bids = Bids(np.random.default_rng(6).normal(size=len(exact)).astype(np.float32))
    shards = [(kept, exact.cut(kept)) for kept in (np.arange(0, 5000, 2), np.arange(1, 5000, 2))]
    expected = exact.search(catalog.queries[:5], 30, bids=bids, bid_weight=1.5)
    answer = merged(answers_of(shards, catalog.queries[:5], 30, bids=bids, bid_weight=1.5), 30)
    np.testing.assert_array_equal(answer, expected)


def test_a_shard_has_the_vectors_and_the_size_of_its_items(either, shards, catalog):
    for kept, index in shards:
        assert len(index) == len(kept)
        rows = np.array([0, 7, len(kept) - 1])
        np.testing.assert_array_equal(index.vectors(rows), catalog.vectors[kept[rows]])


def test_a_shard_without_items(either, catalog):
    empty = either.cut(np.empty(0, dtype=np.int64))
    scores, positions = empty.search(catalog.queries[:2], 3)
    assert len(empty) == 0
    assert (positions == -1).all()
    assert (scores == -np.inf).all()
