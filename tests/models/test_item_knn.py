from math import sqrt
from types import SimpleNamespace

import numpy as np
import pytest

from adi.data.corpora import Corpora
from adi.data.histories import Histories
from adi.data.queries import Queries
from adi.models.item_knn import ItemKnn, ItemKnnSettings

A, B, C, UNSEEN = range(4)
ROWS = [(0, A, 0), (0, B, 0), (1, A, 0), (1, B, 0), (1, C, 1), (2, A, 1), (2, C, 1), (2, A, 0), (3, C, 1), (4, B, 1)]
ALL = np.arange(4)
# users: A 0 1 2, B 0 1 4, C 1 2 3; of domain 0 alone: A 0 1 2, B 0 1; of domain 1 alone: A 2, B 4, C 1 2 3
TIES = {0: np.array([3, 2, 0, 0]) * 1e-6 / 5, 1: np.array([1, 1, 3, 0]) * 1e-6 / 5}


class Log:
    """What item-knn reads of a dataset: six users, four items, two domains."""

    domains = ("d0", "d1")
    manifest = SimpleNamespace(users=6, items=4)
    corpora = Corpora(
        items=[np.array([A, B]), np.array([A, B, C])],
        counts=[np.array([3, 2]), np.array([1, 1, 3])],
        eligible=[np.ones(2, bool), np.ones(3, bool)],
    )

    def rows(self, part):
        assert part == "train"
        return np.arange(len(ROWS))

    def targets(self, part, rows):
        return tuple(np.array(column)[rows] for column in zip(*ROWS, strict=True))


def queries(domain, *histories):
    """Requests in a domain, with histories of (item, domain)."""
    flat = [click for history in histories for click in history]
    items, domains = (np.array([click[place] for click in flat], dtype=np.int64) for place in (0, 1))
    offsets = np.cumsum([0, *map(len, histories)])
    count = len(histories)
    return Queries(np.full(count, -1), np.full(count, domain), Histories(items, domains, offsets), {})


def scores(domain, *histories, items=ALL, **settings):
    model = ItemKnn(Log(), ItemKnnSettings(**({"shrink": 0.0, "domain_prior": 0.0, "scope": "all"} | settings)))
    return model.against(domain, items)(queries(domain, *histories)).numpy()


def expect(actual, expected):
    np.testing.assert_allclose(actual, np.array(expected), rtol=1e-6, atol=1e-9)


def test_pooled_scores_by_hand():
    ab, ac, bc = 2 / 3, 2 / 3, 1 / 3
    expected = np.array([[0, ab, ac, 0], [ab + ac, bc, bc, 0], [0, 0, 0, 0]])
    histories = ([(A, 0)], [(B, 0), (C, 1)], [])
    for domain in (0, 1):  # the domain changes nothing but the order of ties
        expect(scores(domain, *histories), expected + TIES[domain])
    expect(scores(1, *histories, items=np.array([C, A])), expected[:, [C, A]] + np.array([3, 1]) * 1e-6 / 4)


def test_shrink_is_added_to_the_norm():
    expect(scores(0, [(A, 1)], [(C, 0)], shrink=2.0), np.array([[0, 2 / 5, 2 / 5, 0], [2 / 5, 1 / 5, 0, 0]]) + TIES[0])


def test_a_domain_alone_by_hand():
    ab, ac = 2 / sqrt(6), 1 / sqrt(3)
    histories = ([(A, 0), (B, 1)], [(C, 1), (A, 1)])
    expect(scores(0, *histories, scope="domain"), np.array([[0, ab, 0, 0], [0, 0, 0, 0]]) + TIES[0])
    expect(scores(1, *histories, scope="domain"), np.array([[0, 0, 0, 0], [ac, 0, ac, 0]]) + TIES[1])


def test_an_item_keeps_its_nearest_neighbours():
    # with shrink 1: C is as near to A as 2 / 4 and to B as 1 / 4, and so is B
    expect(
        scores(1, [(C, 1)], [(B, 1)], neighbours=1, shrink=1.0),
        np.array([[2 / 4, 0, 0, 0], [2 / 4, 0, 0, 0]]) + TIES[1],
    )


def test_the_domain_prior_multiplies_by_the_domains_share():
    plain = np.array([[0, 2 / 3, 2 / 3, 0]]) + TIES[1]
    share = np.array([(1 + 0.5) / (4 + 1), (1 + 0.5) / (3 + 1), (3 + 0.5) / (3 + 1), 0.5 / 1])
    expect(scores(1, [(A, 0)], domain_prior=2.0), plain * share**2)


def test_blocks_of_items_make_no_difference(monkeypatch):
    whole = scores(1, [(A, 0), (B, 1)], [(C, 1)])
    monkeypatch.setattr("adi.models.similarity.ROWS_AT_ONCE", 2)
    expect(scores(1, [(A, 0), (B, 1)], [(C, 1)]), whole)


@pytest.mark.parametrize("scope", ["all", "domain"])
def test_on_a_prepared_dataset_against_sets_of_users(dataset, scope):
    rows = dataset.rows("train")
    log = list(zip(*(column.tolist() for column in dataset.targets("train", rows)), strict=True))
    domain = 1
    used = [row for row in log if scope == "all" or row[2] == domain]
    of = {item: {u for u, i, _ in used if i == item} for item in range(len(dataset.items))}
    test = dataset.rows("test")
    asked = test[dataset.targets("test", test)[2] == domain]
    queries = dataset.queries("test", asked)
    items = dataset.corpora.retrievable(domain)
    found = ItemKnn(dataset, ItemKnnSettings(scope=scope, shrink=0.5)).against(domain, items)(queries)
    counts = dataset.corpora.counts_of(domain, items)
    for place, (start, stop) in enumerate(
        zip(queries.histories.offsets[:-1], queries.histories.offsets[1:], strict=True)
    ):
        history = [
            item
            for item, d in zip(queries.histories.items[start:stop], queries.histories.domains[start:stop], strict=True)
            if scope == "all" or d == domain
        ]
        for column, item in enumerate(items):
            expected = sum(
                len(of[h] & of[item]) / (sqrt(len(of[h]) * len(of[item])) + 0.5) for h in history if h != item
            )
            assert found[place, column].item() == pytest.approx(expected + 1e-6 * counts[column] / counts.sum())
