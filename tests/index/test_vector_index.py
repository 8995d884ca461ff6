"""Searches of both kinds of index."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adi.errors import AdiError
from adi.index.allowed import AllowedItems
from adi.index.build import IndexSettings, build_index

KINDS = {"exact": IndexSettings(k=3), "ivf": IndexSettings(k=3, exact_below=0, nlist=2)}
WHOLE = st.integers(-2, 2)


def index_of(tmp_path_factory, kind, vectors):
    """An index of few items, tuned on queries that are the 3 ** dim combinations of signs, repeated to 40."""
    dim = vectors.shape[1]
    queries = np.resize(np.stack(np.meshgrid(*[[-1.0, 0.0, 1.0]] * dim), axis=-1), (40, dim)).astype(np.float32)
    return build_index(tmp_path_factory.mktemp("small") / "index", vectors.astype(np.float32), queries, KINDS[kind])


class TestExactness:
    def test_equals_numpy(self, exact, catalog):
        scores, positions = exact.search(catalog.queries[:9], 30)
        assert (scores.dtype, positions.dtype) == (np.float32, np.int64)
        for row, query in enumerate(catalog.queries[:9]):
            expected, where = catalog.best(query, 30)
            np.testing.assert_array_equal(positions[row], where)
            np.testing.assert_allclose(scores[row], expected, rtol=1e-5)

    def test_lists_give_true_scores_in_order(self, ivf, catalog):
        scores, positions = ivf.search(catalog.queries[:9], 30)
        true = np.einsum("nkd,nd->nk", catalog.vectors[positions].astype(np.float64), catalog.queries[:9])
        np.testing.assert_allclose(scores, true, rtol=1e-5)
        assert (np.diff(scores, axis=1) <= 0).all()

    def test_a_batch_answers_as_its_queries_alone(self, either, catalog):
        together = either.search(catalog.queries[:5], 15)[1]
        alone = np.vstack([either.search(query[None], 15)[1] for query in catalog.queries[:5]])
        np.testing.assert_array_equal(together, alone)

    @pytest.mark.parametrize("kind", KINDS)
    @settings(max_examples=25)
    @given(data=st.data())
    def test_whole_numbers_with_their_ties(self, tmp_path_factory, kind, data):
        items, k = data.draw(st.integers(1, 12)), data.draw(st.integers(1, 14))
        vectors = np.asarray(data.draw(st.lists(st.tuples(WHOLE, WHOLE), min_size=items, max_size=items)))
        query = np.asarray(data.draw(st.tuples(WHOLE, WHOLE)))
        chosen = data.draw(st.sets(st.integers(0, items - 1)))
        index = index_of(tmp_path_factory, kind, vectors)
        reading_all = index.card.nlist is None or index.card.nprobe == index.card.nlist
        for allowed in (None, AllowedItems(np.asarray(sorted(chosen)), items)):
            if allowed is None and not reading_all:
                continue
            searched = range(items) if allowed is None else chosen
            expected = sorted(searched, key=lambda position: (-int(vectors[position] @ query), position))[:k]
            scores, positions = index.search(query[None].astype(np.float32), k, allowed=allowed)
            assert positions[0].tolist() == expected + [-1] * (k - len(expected))
            assert scores[0].tolist() == [vectors[at] @ query for at in expected] + [-np.inf] * (k - len(expected))


class TestTies:
    def test_allowed_items_are_found_where_centroids_tie(self, tmp_path_factory):
        vectors = np.asarray([[1, 0], [1, 0], [1, 0], [0, 0], [1, 0], [1, 0], [0, 0], [0, 0]])
        index = index_of(tmp_path_factory, "ivf", vectors)
        assert (index.card.nlist, index.card.nprobe) == (2, 1)
        _, positions = index.search(np.zeros((1, 2), np.float32), 1, allowed=AllowedItems(np.asarray([0, 1]), 8))
        assert positions.tolist() == [[0]]

    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize("k", [1, 7, 200, 700])
    def test_lower_positions_come_first(self, tmp_path_factory, kind, k):
        vectors = np.tile([1.0, 2.0], (900, 1))
        vectors[[40, 600]] = [3.0, 3.0]
        _, positions = index_of(tmp_path_factory, kind, vectors).search(np.asarray([[1.0, 1.0]], np.float32), k)
        others = [at for at in range(900) if at not in (40, 600)]
        assert positions[0].tolist() == [40, 600, *others][:k]


class TestAllowed:
    @pytest.mark.parametrize("share", [0.5, 0.1, 0.01, 0.002])
    def test_only_allowed_items_and_as_complete(self, either, catalog, share):
        draw = np.random.default_rng(2)
        allowed = np.sort(draw.choice(len(catalog.vectors), int(share * len(catalog.vectors)), replace=False))
        _, positions = either.search(catalog.queries, 20, allowed=AllowedItems(allowed, len(either)))
        assert np.isin(positions[positions >= 0], allowed).all()
        assert catalog.recall(either, 20, allowed) >= (0.95 if either.card.kind == "ivf" else 1.0)

    def test_allowed_items_in_few_clusters(self, ivf, catalog):
        """Every third cluster: for most queries no item of the near lists is allowed."""
        allowed = np.flatnonzero(catalog.cluster % 3 == 0)
        assert catalog.recall(ivf, 20, allowed) >= 0.95

    def test_prepared_once_for_many_searches(self, either, catalog):
        allowed = np.arange(0, len(catalog.vectors), 3)
        prepared = AllowedItems(allowed, len(either))
        expected = either.search(catalog.queries[:4], 9, allowed=AllowedItems(allowed, len(either)))
        for _ in range(2):
            np.testing.assert_array_equal(either.search(catalog.queries[:4], 9, allowed=prepared), expected)

    def test_none_matching(self, either, catalog):
        nothing = AllowedItems(np.empty(0, dtype=np.int64), len(either))
        scores, positions = either.search(catalog.queries[:2], 3, allowed=nothing)
        assert (positions == -1).all()
        assert (scores == -np.inf).all()

    def test_fewer_than_k(self, either, catalog):
        _, positions = either.search(catalog.queries[:1], 5, allowed=AllowedItems(np.asarray([17, 4000]), len(either)))
        assert sorted(positions[0, :2]) == [17, 4000]
        assert positions[0, 2:].tolist() == [-1, -1, -1]

    def test_all_is_no_filter(self, exact, catalog):
        every = AllowedItems(np.arange(len(exact)), len(exact))
        everything = exact.search(catalog.queries[:3], 9, allowed=every)
        np.testing.assert_array_equal(everything, exact.search(catalog.queries[:3], 9))


class TestSizes:
    def test_more_than_all_items(self, exact, catalog):
        _, positions = exact.search(catalog.queries[:2], len(exact) + 3)
        assert (np.sort(positions[:, :-3], axis=1) == np.arange(len(exact))).all()
        assert (positions[:, -3:] == -1).all()

    def test_of_lists_more_than_all_items(self, ivf, catalog):
        """Beyond the measured depths every list is read."""
        _, positions = ivf.search(catalog.queries[:2], len(ivf) + 3)
        assert (np.sort(positions[:, :-3], axis=1) == np.arange(len(ivf))).all()

    def test_lists_that_hold_fewer_than_k(self, tmp_path, catalog):
        settings = IndexSettings(k=20, target=0.05, exact_below=0)
        index = build_index(tmp_path / "i", catalog.vectors, catalog.queries, settings)
        scores, positions = index.search(catalog.queries, 20)
        assert index.card.nprobe == 1
        assert (positions == -1).any()
        np.testing.assert_array_equal(scores == -np.inf, positions == -1)

    @pytest.mark.parametrize("kind", KINDS)
    def test_one_item(self, tmp_path_factory, kind):
        index = index_of(tmp_path_factory, kind, np.asarray([[2.0, 1.0, 0.5]]))
        scores, positions = index.search(np.asarray([[1.0, 1.0, 2.0]], np.float32), 2)
        assert (scores.tolist(), positions.tolist()) == ([[4.0, -np.inf]], [[0, -1]])
        assert len(index) == 1

    def test_no_queries(self, either, catalog):
        scores, positions = either.search(catalog.queries[:0], 4)
        assert (scores.shape, positions.shape) == ((0, 4), (0, 4))


def test_several_threads_at_once(either, catalog):
    """Searches that differ in filter, k and number of threads."""
    broad = AllowedItems(np.arange(1, len(catalog.vectors), 2), len(either))
    searches = [
        {
            "k": 5 + number % 3,
            "allowed": (None, broad, AllowedItems(np.arange(number, 5000, 97), 5000))[number % 3],
            "threads": 1 + number % 2,
        }
        for number in range(24)
    ]
    expected = [either.search(catalog.queries[n : n + 3], **search)[1] for n, search in enumerate(searches)]
    with ThreadPoolExecutor(6) as pool:
        for _ in range(3):
            answers = pool.map(lambda n: either.search(catalog.queries[n : n + 3], **searches[n])[1], range(24))
            for answer, right in zip(answers, expected, strict=True):
                np.testing.assert_array_equal(answer, right)


@pytest.mark.parametrize("queries", [1, 2, 7])
def test_threads_find_what_one_thread_finds(either, catalog, queries):
    """With fewer queries than threads, the threads share the lists of each query."""
    for allowed in (None, AllowedItems(np.arange(1, len(catalog.vectors), 2), len(either))):
        scores, positions = either.search(catalog.queries[:queries], 20, allowed=allowed)
        more_scores, more_positions = either.search(catalog.queries[:queries], 20, allowed=allowed, threads=3)
        np.testing.assert_array_equal(more_positions, positions)
        np.testing.assert_allclose(more_scores, scores, rtol=1e-6)


class TestFaults:
    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"queries": np.zeros((2, 5), np.float32)}, r"queries of shape \(2, 5\): the items have 12 dim"),
            ({"queries": np.zeros(12, np.float32)}, r"queries of shape \(12,\).*give \(n, 12\)"),
            ({"queries": np.full((1, 12), np.nan, np.float32)}, r"queries, row 0: nan is not a finite number"),
            ({"k": 0}, r"k = 0: ask for at least one"),
            ({"allowed": AllowedItems(np.asarray([1]), 3)}, r"allowed: prepared for 3 items, and this index has 5000"),
        ],
    )
    def test_named(self, either, arguments, message):
        with pytest.raises(AdiError, match=message):
            either.search(**({"queries": np.zeros((1, 12), np.float32), "k": 3} | arguments))
