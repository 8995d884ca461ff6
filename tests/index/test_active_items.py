"""The top k by taste and trend: as numpy finds it by scoring every item, and without scoring every item."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adi.index.active_items import ActiveItems, AddedScores, _best
from adi.index.allowed import AllowedItems
from adi.index.bids import Bids

W = 3
NONE = AddedScores(np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float32))


def active_items(index, draw, count, spread=1.0, *, shifted=False):
    positions = np.sort(draw.choice(len(index), count, replace=False))
    coordinates = (draw.normal(size=(count, W)) * spread).astype(np.float32)
    quiet = draw.normal(size=W).astype(np.float32)
    shifts = draw.normal(size=(count, index.card.dim)).astype(np.float32) if shifted else None
    return ActiveItems(index, positions, coordinates, quiet, shifts)


def every_score(catalog, active, user, added, bids=None, weight=0.0):
    """The scores of all items for one query with interests (interests, dim + W)."""
    coordinates = np.tile(active.quiet, (len(catalog.vectors), 1))
    coordinates[active.positions] = active.coordinates
    vectors = np.concatenate([catalog.vectors.astype(np.float64), coordinates], axis=1)
    if active.shifts is not None:
        vectors[active.positions, : catalog.vectors.shape[1]] += active.shifts
    scores = (user @ vectors.T).max(axis=0)
    scores[added.positions] += added.scores
    return scores if bids is None else scores + weight * bids.logs


def assert_top(hits, scores, k, excluded=(), allowed=None):
    scores = scores.copy()
    scores[list(excluded)] = -np.inf
    if allowed is not None:
        scores[~allowed.contains(np.arange(len(scores)))] = -np.inf
    expected = np.sort(scores)[::-1][:k]
    expected = expected[expected > -np.inf]
    assert len(hits.positions) == len(expected) == len(set(hits.positions.tolist()))
    np.testing.assert_allclose(hits.scores, expected, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(hits.scores, scores[hits.positions], rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(sum(hits.parts.values()), hits.scores, rtol=1e-4, atol=1e-4)


@settings(max_examples=60)
@given(
    seed=st.integers(0, 10_000),
    count=st.sampled_from([0, 1, 40, 2000]),
    interests=st.sampled_from([1, 1, 3]),
    k=st.sampled_from([1, 7, 60]),
    num_added=st.sampled_from([0, 5, 80]),
    num_excluded=st.sampled_from([0, 3, 90]),
    filtered=st.sampled_from([None, 3, 400, 4000]),
    weight=st.sampled_from([0.0, 0.0, 0.7]),
    spread=st.sampled_from([0.1, 1.0, 5.0]),
    shifted=st.booleans(),
)
def test_the_top_is_that_of_scoring_every_item(
    catalog, exact, seed, count, interests, k, num_added, num_excluded, filtered, weight, spread, shifted
):
    draw = np.random.default_rng(seed)
    active, num_items = active_items(exact, draw, count, spread, shifted=shifted), len(exact)
    users = np.stack(
        [
            np.concatenate([catalog.queries[draw.choice(200, interests)], draw.normal(size=(interests, W))], axis=1)
            for _ in range(2)
        ]
    ).astype(np.float32)
    pool = np.argsort(-(catalog.vectors.astype(np.float32) @ users[0, 0, :-W]))[:300]  # near the query, so they matter
    added = [
        AddedScores(
            np.sort(draw.choice(pool, num_added, replace=False)), draw.normal(size=num_added).astype(np.float32)
        )
        for _ in users
    ]
    excluded = [np.sort(draw.choice(pool, num_excluded, replace=False)) for _ in users]
    allowed = None
    if filtered is not None:
        allowed = AllowedItems(np.sort(draw.choice(num_items, filtered, replace=False)), num_items)
    bids = Bids(draw.normal(size=num_items).astype(np.float32))
    hits = active.search(
        users, k, added=added, excluded=excluded, allowed=allowed, bids=bids if weight else None, bid_weight=weight
    )
    for query, top in enumerate(hits):
        scores = every_score(catalog, active, users[query], added[query], bids if weight else None, weight)
        assert_top(top, scores, k, excluded[query], allowed)
        if interests == 1:
            taste = catalog.vectors[top.positions] @ users[query, 0, :-W]
            np.testing.assert_allclose(top.parts["taste"], taste, rtol=1e-3, atol=1e-3)


def test_an_index_with_lists_finds_what_it_finds_by_taste(catalog, ivf):
    draw = np.random.default_rng(3)
    active = active_items(ivf, draw, 500)
    users = np.concatenate([catalog.queries[:100], draw.normal(size=(100, W))], axis=1).astype(np.float32)[:, None]
    hits = active.search(users, 20, added=[NONE] * 100, excluded=[np.empty(0, dtype=np.int64)] * 100)
    shares = []
    for user, top in zip(users, hits, strict=True):
        best = np.argsort(-every_score(catalog, active, user, NONE))[:20]
        shares.append(np.isin(best, top.positions).mean())
    assert np.mean(shares) >= 0.95


def test_where_the_best_by_taste_are_active_the_search_goes_deeper(catalog, exact):
    query = catalog.queries[0]
    _, best = catalog.best(query, 1000)
    positions = np.sort(best)
    active = ActiveItems(exact, positions, np.full((1000, W), -50, dtype=np.float32), np.zeros(W, dtype=np.float32))
    user = np.concatenate([query, np.ones(W)]).astype(np.float32)[None, None]
    (top,) = active.search(user, 10, added=[NONE], excluded=[np.empty(0, dtype=np.int64)])
    assert top.positions.tolist() == catalog.best(query, 1010)[1][1000:].tolist()


def test_where_active_items_fill_the_top_the_index_is_searched_once(catalog, exact, monkeypatch):
    draw = np.random.default_rng(5)
    active = active_items(exact, draw, 50)
    active.columns[-1] = 100
    depths, search = [], exact.search
    monkeypatch.setattr(
        exact, "search", lambda queries, k, **options: depths.append(k) or search(queries, k, **options)
    )
    user = np.concatenate([catalog.queries[0], np.ones(W)]).astype(np.float32)[None, None]
    (top,) = active.search(user, 10, added=[NONE], excluded=[np.empty(0, dtype=np.int64)])
    assert np.isin(top.positions, active.positions).all()
    assert depths == [10]


@pytest.mark.parametrize("kind", ["exact", "ivf"])
def test_vectors_are_those_that_the_index_was_built_of(catalog, request, kind):
    index, positions = request.getfixturevalue(kind), np.array([4, 4999, 17, 17])
    np.testing.assert_array_equal(index.vectors(positions), catalog.vectors[positions].astype(np.float32))


@pytest.mark.parametrize("k", [1, 20, 4_999, 5_000, 6_000])
@pytest.mark.parametrize("kind", ["distinct", "ties", "few", "sorted"])
def test_the_best_rows_are_those_of_a_sort(k, kind):
    scores = np.random.default_rng(0).normal(size=5_000)
    scores = {"distinct": scores, "ties": np.round(scores), "sorted": np.sort(scores)[::-1], "few": scores}[kind]
    if kind == "few":
        scores[30:] = -np.inf
    kth = np.sort(scores)[::-1][:k][-1]
    expected = np.flatnonzero((scores >= kth) & (scores > -np.inf))
    np.testing.assert_array_equal(_best(scores, k), expected)
