"""EASE against what it is: for each item, ridge regression on all others; and its refusals."""

import itertools

import numpy as np
import pytest
import scipy.sparse as sp

from adi.errors import AdiError
from adi.models.ease import Ease, EaseSettings, item_weights
from adi.training.train import train


def test_two_items_by_hand():
    # a of users 0 1 2, b of users 1 2 3 4: three and four users, two in common; nobody took the item between them
    taken = sp.csr_array(np.array([[1, 0, 0], [1, 0, 1], [1, 0, 1], [0, 0, 1], [0, 0, 1]], np.float32))
    items, weights = item_weights(taken, l2=0.5, dropout=0.0)
    assert items.tolist() == [0, 2]
    # row: from, column: to; regression of b on a alone is (a . b) / (a . a + l2)
    np.testing.assert_allclose(weights, [[0, 2 / (3 + 0.5)], [2 / (4 + 0.5), 0]], rtol=1e-6)


@pytest.mark.parametrize("l2", [0.3, 20.0])
def test_each_item_is_regressed_on_all_others(l2):
    rng = np.random.default_rng(0)
    x = (rng.random((40, 7)) < 0.4).astype(np.float32)
    items, weights = item_weights(sp.csr_array(x), l2, 0.0)
    assert items.tolist() == list(range(7))
    for item in range(7):
        others = np.delete(np.arange(7), item)
        gram = x[:, others].T @ x[:, others] + l2 * np.eye(6)
        np.testing.assert_allclose(
            weights[others, item], np.linalg.solve(gram, x[:, others].T @ x[:, item]), rtol=1e-4, atol=1e-5
        )
        assert weights[item, item] == 0


@pytest.mark.parametrize("dropout", [0.2, 0.7])
def test_dropout_leaves_items_of_the_history_out(dropout):
    """Against ridge regression on every history that is left by some draw, weighed by its probability."""
    rng = np.random.default_rng(0)
    x = (rng.random((40, 4)) < 0.5).astype(np.float32)
    kept = 1 - dropout
    _, weights = item_weights(sp.csr_array(x), 3.0, dropout)
    for item in range(4):
        others = np.delete(np.arange(4), item)
        gram, product = 3.0 * kept**2 * np.eye(3), np.zeros(3)
        for draw in itertools.product([0, 1], repeat=3):
            left = x[:, others] * np.array(draw)
            probability = kept ** sum(draw) * dropout ** (3 - sum(draw))
            gram += probability * left.T @ left
            product += probability * left.T @ x[:, item]
        np.testing.assert_allclose(weights[others, item], kept * np.linalg.solve(gram, product), rtol=1e-4)


@pytest.mark.parametrize("scope", ["all", "domain"])
def test_a_score_is_the_sum_of_the_historys_weights(dataset, scope):
    feed = 1
    users, items, domains = dataset.targets("train", dataset.rows("train"))
    used = np.ones(len(users), bool) if scope == "all" else domains == feed
    x = np.zeros((len(dataset.users), len(dataset.items)), np.float32)
    x[users[used], items[used]] = 1
    known, weights = item_weights(sp.csr_array(x), 2.0, 0.0)
    test = dataset.rows("test")
    queries = dataset.queries("test", test[dataset.targets("test", test)[2] == feed])
    ranked = np.array([dataset.items.find(word) for word in ("mug", "jar", "pen", "bag")])
    model = Ease(dataset, EaseSettings(scope=scope, l2=2.0, dropout=0.0))
    found = model.against(feed, ranked)(queries).numpy()
    cuts, other = queries.histories.offsets, 0
    for place in range(len(queries)):
        part = slice(cuts[place], cuts[place + 1])
        history = {
            int(item)
            for item, domain in zip(queries.histories.items[part], queries.histories.domains[part], strict=True)
            if scope == "all" or domain == feed
        }
        for column, item in enumerate(ranked):
            expected = 0.0
            if item in known:
                to = np.flatnonzero(known == item)[0]
                expected = sum(weights[np.flatnonzero(known == h)[0], to] for h in history if h in known)
            other += expected != 0
            assert found[place, column] == pytest.approx(expected, abs=2e-6)
    assert other >= 5
    if scope == "domain":  # the jar is never clicked in the feed
        assert not found[:, 1].any()


def test_a_prior_leaves_what_is_below_zero_below_what_is_above(dataset):
    """A small share of the domain lowers what speaks for an item, and does not soften what speaks against it."""
    queries = dataset.queries("test", dataset.rows("test"))
    queries = queries.__class__(queries.users, queries.domains * 0, queries.histories, queries.context)
    items = dataset.corpora.retrievable(0)
    plain, with_prior = (
        Ease(dataset, EaseSettings(l2=0.5, dropout=0.0, domain_prior=power)).against(0, items)(queries).numpy()
        for power in (0, 3)
    )
    assert (plain < -1e-4).any()
    np.testing.assert_array_equal(with_prior[plain < 0], plain[plain < 0])
    assert (with_prior[plain > 1e-4] < plain[plain > 1e-4]).any()
    assert (with_prior[plain > 0] > 0).all()


def test_more_items_than_the_memory_is_meant_for_are_refused_before_anything_is_written(prepared, dataset, tmp_path):
    message = r"ease: 9 items have training rows, and max_items is 7\. A weight for each pair .* takes 0\.0 GB"
    with pytest.raises(AdiError, match=message):
        train(prepared, "ease", tmp_path / "run", settings={"max_items": 7})
    assert not (tmp_path / "run").exists()
    with pytest.raises(AdiError, match=message):
        Ease(dataset, EaseSettings(max_items=7))
    Ease(dataset, EaseSettings(max_items=9))
    with pytest.raises(AdiError, match=r"ease: 8 items .* max_items is 7"):  # of search, the largest
        Ease(dataset, EaseSettings(max_items=7, scope="domain"))


def test_the_memory_is_told(dataset, monkeypatch):
    class Many:
        domains = ("a",)

        def rows(self, part):
            return np.arange(92_335)

        def targets(self, part, rows):
            return rows, rows, rows * 0

    with pytest.raises(AdiError, match=r"ease: 92,335 items .* 20,000\. .* takes 34\.1 GB of memory, .*item-knn"):
        Ease(Many(), EaseSettings())


def test_an_l2_that_cannot_be_solved_with_is_refused():
    same = sp.csr_array(np.ones((3000, 3), np.float32))
    with pytest.raises(AdiError, match="ease: l2 = 1e-05 is too small to solve for the weights of 3 items"):
        item_weights(same, 1e-5, 0.0)
