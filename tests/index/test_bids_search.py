"""The top k by score + weight · log bid: by hand, as numpy finds it, and without scoring every item."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adi.errors import AdiError
from adi.index import bids as bids_module
from adi.index.allowed import AllowedItems
from adi.index.bids import Bids
from adi.index.build import IndexSettings, build_index

KINDS = {"exact": IndexSettings(k=3), "ivf": IndexSettings(k=3, exact_below=0, nlist=2)}
WHOLE = st.integers(-3, 3)


@pytest.fixture(scope="module")
def bids(catalog):
    """Half of each log bid comes from the cluster: nearby items bid alike."""
    draw = np.random.default_rng(5)
    of_cluster = draw.normal(size=catalog.cluster.max() + 1)
    return Bids((of_cluster[catalog.cluster] + draw.normal(size=len(catalog.vectors))).astype(np.float32))


EAGER = {"FIRST_DEPTH": 1, "LEAST_DEPTH": 1, "BIDS_PER_SCORE": 1, "CHEAP_SHARE": 0}
"""Looks at as few items as possible before each test of the bound."""


@pytest.fixture
def eager(monkeypatch):
    for name, value in EAGER.items():
        monkeypatch.setattr(bids_module, name, value)


def best_of(catalog, bids, query, k, weight, allowed=None):
    """The k highest sums and their positions, equal ones by position, by numpy."""
    positions = np.arange(len(catalog.vectors)) if allowed is None else allowed
    sums = catalog.vectors[positions].astype(np.float64) @ query + weight * bids.logs[positions].astype(np.float64)
    order = np.argsort(-sums, kind="stable")[:k]
    return sums[order], positions[order]


def one_dimensional(folder, kind, scores):
    """An index whose items have the given scores for the query 1."""
    queries = np.resize(np.asarray([[-1.0], [1.0]], dtype=np.float32), (40, 1))
    return build_index(folder / "i", np.asarray(scores, dtype=np.float32)[:, None], queries, KINDS[kind])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("weight", "sums", "positions"),
    [
        (0.0, [6, 4, 3, 1, 0], [0, 1, 2, 3, 4]),
        (0.5, [6.5, 6, 5, 3, 2], [1, 0, 2, 3, 4]),
        (1.0, [9, 7, 6, 5, 4], [1, 2, 0, 3, 4]),
        (2.0, [14, 11, 9, 8, 6], [1, 2, 3, 4, 0]),
        (4.0, [24, 19, 17, 16, 6], [1, 2, 3, 4, 0]),
    ],
)
def test_worked_out_by_hand(tmp_path, eager, kind, weight, sums, positions):
    """Scores 6 4 3 1 0 and log bids 0 5 4 4 4."""
    index = one_dimensional(tmp_path, kind, [6, 4, 3, 1, 0])
    bids = Bids(np.asarray([0, 5, 4, 4, 4], dtype=np.float32))
    for k in range(1, 6):
        scores, top = index.search(np.ones((1, 1), np.float32), k, bids=bids, bid_weight=weight)
        assert top.tolist() == [positions[:k]]
        assert scores.tolist() == [sums[:k]]


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=60)
@given(data=st.data())
def test_whole_numbers_with_their_ties(tmp_path_factory, kind, data):
    items, k = data.draw(st.integers(1, 14)), data.draw(st.integers(1, 16))
    vectors = np.asarray(data.draw(st.lists(st.tuples(WHOLE, WHOLE), min_size=items, max_size=items)))
    logs = np.asarray(data.draw(st.lists(WHOLE, min_size=items, max_size=items)))
    query, weight = np.asarray(data.draw(st.tuples(WHOLE, WHOLE))), data.draw(st.integers(1, 3))
    chosen = data.draw(st.sets(st.integers(0, items - 1)))
    signs = np.stack(np.meshgrid(*[[-1.0, 0.0, 1.0]] * 2), axis=-1)
    queries = np.resize(signs, (40, 2)).astype(np.float32)
    folder = tmp_path_factory.mktemp("small") / "index"
    index = build_index(folder, vectors.astype(np.float32), queries, KINDS[kind])
    reading_all = index.card.nlist is None or index.card.nprobe == index.card.nlist
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (EAGER | {"CHEAP_SHARE": data.draw(st.sampled_from([0, 0.5]))}).items():
            patch.setattr(bids_module, name, value)
        for allowed in (None, AllowedItems(np.asarray(sorted(chosen)), items)):
            if allowed is None and not reading_all:
                continue
            sums = vectors @ query + weight * logs
            searched = range(items) if allowed is None else chosen
            expected = sorted(searched, key=lambda position: (-int(sums[position]), position))[:k]
            scores, positions = index.search(
                query[None].astype(np.float32),
                k,
                allowed=allowed,
                bids=Bids(logs.astype(np.float32)),
                bid_weight=weight,
            )
            assert positions[0].tolist() == expected + [-1] * (k - len(expected))
            assert scores[0].tolist() == [sums[at] for at in expected] + [-np.inf] * (k - len(expected))


@pytest.mark.parametrize("weight", [0.01, 0.3, 1.0, 3.0, 30.0, 1e6])
class TestCatalog:
    def test_exact_equals_numpy(self, exact, catalog, bids, weight):
        scores, positions = exact.search(catalog.queries[:9], 20, bids=bids, bid_weight=weight)
        assert (scores.dtype, positions.dtype) == (np.float32, np.int64)
        for row, query in enumerate(catalog.queries[:9]):
            sums, where = best_of(catalog, bids, query, 20, weight)
            np.testing.assert_allclose(scores[row], sums, rtol=1e-5, atol=1e-5)
            if weight < 1e6:  # beyond, float32 holds little of the score
                np.testing.assert_array_equal(positions[row], where)

    @pytest.mark.parametrize("share", [None, 0.5, 0.1, 0.01])
    def test_lists_find_what_they_find_without_bids(self, ivf, catalog, bids, weight, share):
        draw = np.random.default_rng(2)
        every = np.arange(len(catalog.vectors))
        allowed = every if share is None else np.sort(draw.choice(every, int(share * len(every)), replace=False))
        items, found = None if share is None else AllowedItems(allowed, len(every)), []
        for query in catalog.queries:
            _, (positions,) = ivf.search(query[None], 20, allowed=items, bids=bids, bid_weight=weight)
            assert np.isin(positions, allowed).all()
            lowest = best_of(catalog, bids, query, 20, weight, allowed)[0][-1]
            sums = catalog.vectors[positions].astype(np.float64) @ query + weight * bids.logs[positions]
            found.append(sums >= lowest - 1e-6 * max(weight, 1))
        assert np.mean(found) >= 0.95


def test_a_batch_answers_as_its_queries_alone(either, catalog, bids):
    together = either.search(catalog.queries[:5], 15, bids=bids, bid_weight=2.0)[1]
    alone = [either.search(query[None], 15, bids=bids, bid_weight=2.0)[1][0] for query in catalog.queries[:5]]
    np.testing.assert_array_equal(together, alone)


def test_without_a_weight_bids_change_nothing(either, catalog, bids):
    plain = either.search(catalog.queries[:5], 15)
    np.testing.assert_array_equal(either.search(catalog.queries[:5], 15, bids=bids), plain)
    np.testing.assert_array_equal(either.search(catalog.queries[:5], 15, bids=bids, bid_weight=-0.0), plain)


def test_equal_bids_leave_the_order(exact, catalog):
    scores, positions = exact.search(catalog.queries[:5], 15)
    same = Bids(np.full(len(catalog.vectors), 0.5, dtype=np.float32))
    sums, same_positions = exact.search(catalog.queries[:5], 15, bids=same, bid_weight=4.0)
    np.testing.assert_array_equal(same_positions, positions)
    np.testing.assert_allclose(sums, scores + 2, rtol=1e-6)


def test_bids_of_few_values(exact, catalog):
    """A third of all items have the highest bid."""
    logs = np.resize(np.asarray([0, 1, 2], dtype=np.float32), len(catalog.vectors))
    for weight in (0.5, 50.0):
        _, (positions,) = exact.search(catalog.queries[:1], 20, bids=Bids(logs), bid_weight=weight)
        expected = best_of(catalog, Bids(logs), catalog.queries[0], 20, weight)[1]
        np.testing.assert_array_equal(positions, expected)


def test_lists_that_hold_too_few(exact, catalog, bids, monkeypatch):
    """The last score of lists that end before the requested depth is no bound."""
    top = exact._searcher.top

    def short(queries, k, *rest):
        scores, positions = top(queries, k, *rest)
        positions[:, 5:], scores[:, 5:] = -1, -np.inf
        return scores, positions

    monkeypatch.setattr(exact._searcher, "top", short)
    _, (positions,) = exact.search(catalog.queries[:1], 20, bids=bids, bid_weight=1.0)
    np.testing.assert_array_equal(positions, best_of(catalog, bids, catalog.queries[0], 20, 1.0)[1])


def test_an_equal_sum_at_a_lower_position_is_not_overlooked(tmp_path, eager, monkeypatch):
    """Position 1, as good as position 2, is neither of the two best by score nor of the two highest bids."""
    monkeypatch.setattr(bids_module, "LEAST_DEPTH", 2)
    monkeypatch.setattr(bids_module, "CHEAP_SHARE", 1)
    index = one_dimensional(tmp_path, "exact", [1, 1, 2, -10, -10])
    bids = Bids(np.asarray([-5, 1, 0, 3, 3], dtype=np.float32))
    scores, positions = index.search(np.ones((1, 1), np.float32), 1, bids=bids, bid_weight=1.0)
    assert (scores.tolist(), positions.tolist()) == ([[2]], [[1]])


def test_few_items_are_looked_at(either, catalog, bids, monkeypatch):
    """Otherwise the search would be no better than scoring all items."""
    counts = []
    for name in ("top", "top_among"):
        search = getattr(either._searcher, name)

        def counted(queries, k, *rest, search=search):
            counts.append(k)
            return search(queries, k, *rest)

        monkeypatch.setattr(either._searcher, name, counted)
    for weight in (0.01, 100.0):
        counts.clear()
        either.search(catalog.queries[:1], 20, bids=bids, bid_weight=weight)
        assert 20 < sum(counts) < len(catalog.vectors) / 3


class TestFaults:
    @pytest.mark.parametrize("weight", [-1.0, np.nan, np.inf, 2e6])
    def test_weights(self, either, catalog, bids, weight):
        with pytest.raises(AdiError, match=f"bid_weight: {weight}; give a number from 0"):
            either.search(catalog.queries[:1], 3, bids=bids, bid_weight=weight)

    def test_bids_of_other_items(self, either, catalog):
        for bids, count in ((None, 0), (Bids(np.zeros(4999, np.float32)), 4999)):
            with pytest.raises(AdiError, match=f"bids of {count} items, and this index has 5000"):
                either.search(catalog.queries[:1], 3, bids=bids, bid_weight=1.0)
