"""User-kNN by hand on a log of a few lines, and against sets of items on the hand-written one."""

from math import sqrt

import numpy as np
import pytest

from adi.data.dataset import Dataset
from adi.data.histories import Histories
from adi.data.queries import Queries
from adi.models.user_knn import UserKnn, UserKnnSettings
from adi.preparation.prepare import prepare

# items of u1 x y z, u2 x z, u3 x y, u4 z x, u5 v; of domain a alone x y, x, x y, z, v
LOG = "u1,x,a u1,y,a u1,z,b u2,x,a u2,z,b u3,x,a u3,y,a u4,z,a u4,x,b u5,v,a u3,x,a"
SCHEMA = """
domains: {column: domain, values: [a, b]}
interactions: {path: log.csv, user: user, item: item}
features:
  user: [{name: items, kind: behaviours}]
  item: [{name: item_id, kind: id}]
split: {kind: files, test: test.csv, validation: 0.0}
"""
V, X, Y, Z = range(4)
A = 0


@pytest.fixture(scope="module")
def log(tmp_path_factory) -> Dataset:
    folder = tmp_path_factory.mktemp("log")
    for name, rows in (("log", LOG), ("test", "u1,v,a")):
        (folder / f"{name}.csv").write_text("\n".join(["user,item,domain", *rows.split()]) + "\n")
    (folder / "schema.yaml").write_text(SCHEMA)
    prepare(folder / "schema.yaml", folder / "prepared")
    return Dataset(folder / "prepared")


def scores(log, *histories, users=None, domain=A, **settings):
    """Of v x y z in domain a, for histories of (item, domain)."""
    model = UserKnn(log, UserKnnSettings(**({"shrink": 0.0, "scope": "all"} | settings)))
    flat = [click for history in histories for click in history]
    items, domains = (np.array([click[place] for click in flat], dtype=np.int64) for place in (0, 1))
    taken = Histories(items, domains, np.cumsum([0, *map(len, histories)]))
    who = np.array([-1] * len(histories) if users is None else [log.users.find(user) for user in users])
    return model.against(domain, np.arange(4))(Queries(who, np.full(len(who), domain), taken, {})).numpy()


def expect(found, expected):
    np.testing.assert_allclose(found, np.array(expected), atol=2e-6, rtol=0)  # popularity breaks ties below that


def test_pooled_scores_by_hand(log):
    # to {x, y}: u1 2 / sqrt 6, u2 1 / 2, u3 1, u4 1 / 2; to {v}: u5 alone, 1
    u1, u2, u3, u4 = 2 / sqrt(6), 1 / 2, 1.0, 1 / 2
    expected = [[0, u1 + u2 + u3 + u4, u1 + u3, u1 + u2 + u4], [1, 0, 0, 0], [0, 0, 0, 0]]
    histories = ([(X, 0), (Y, 1)], [(V, 1)], [])
    expect(scores(log, *histories), expected)
    expect(scores(log, [(Y, 1), (X, 0), (X, 0), (X, 1)], [(V, 1)], []), expected)  # sets: how often does not count


def test_a_domain_alone_by_hand(log):
    # to {x} in a: u1 and u3 1 / sqrt 2, u2 1; the y of the history is of b
    u1 = u3 = 1 / sqrt(2)
    expect(scores(log, [(X, 0), (Y, 1)], scope="domain"), [[0, u1 + 1 + u3, u1 + u3, 0]])


def test_shrink_is_added_to_the_norm(log):
    three, two = 1 / (sqrt(3) + 2), 1 / (sqrt(2) + 2)  # to u1, and to each of u2 and u4
    expect(scores(log, [(Z, 0)], shrink=2.0), [[0, three + 2 * two, three, three + 2 * two]])


def test_the_nearest_alone_count(log):
    expect(scores(log, [(X, 0), (Y, 0)], neighbours=1), [[0, 1, 1, 0]])  # u3
    u1 = 2 / sqrt(6)
    expect(scores(log, [(X, 0), (Y, 0)], neighbours=2), [[0, 1 + u1, 1 + u1, u1]])
    expect(scores(log, [(V, 0)], neighbours=100), [[1, 0, 0, 0]])


def test_what_the_log_holds_of_the_querys_own_user_does_not_count(log):
    """It may be later than the query."""
    u1, u2, u4 = 2 / sqrt(6), 1 / 2, 1 / 2
    history = [(X, 0), (Y, 0)]
    expected = [[0, u1 + u2 + u4, u1, u1 + u2 + u4], [0, u1 + u2 + u4 + 1, u1 + 1, u1 + u2 + u4]]
    expect(scores(log, history, history, users=["u3", "u5"]), expected)
    expect(scores(log, history, users=["u3"], neighbours=1), [[0, u1, u1, u1]])


def test_the_domain_prior_multiplies_by_the_domains_share(log):
    share_x, share_z = (4 + 0.5) / (5 + 1), (1 + 0.5) / (3 + 1)
    plain = scores(log, [(X, 0), (Y, 0)])
    found = scores(log, [(X, 0), (Y, 0)], domain_prior=2.0)
    np.testing.assert_allclose(found[0, [X, Z]], plain[0, [X, Z]] * np.array([share_x, share_z]) ** 2)


def test_blocks_of_queries_make_no_difference(log, monkeypatch):
    histories = [[(X, 0)], [(Y, 0), (Z, 0)], [], [(V, 0)], [(Z, 0)]]
    whole = scores(log, *histories)
    monkeypatch.setattr("adi.models.user_knn.SIMILARITIES_AT_ONCE", 11)  # two queries to five users
    expect(scores(log, *histories), whole)


@pytest.mark.parametrize("scope", ["all", "domain"])
def test_on_a_prepared_dataset_against_sets_of_items(dataset, scope):
    users, items, domains = (column.tolist() for column in dataset.targets("train", dataset.rows("train")))
    feed, shrink, neighbours = 1, 0.5, 4
    counted = [click for click in zip(users, items, domains, strict=True) if scope == "all" or click[2] == feed]
    of = {user: {item for who, item, _ in counted if who == user} for user in range(len(dataset.users))}
    test = dataset.rows("test")
    asked = test[dataset.targets("test", test)[2] == feed]
    queries = dataset.queries("test", asked)
    corpus = dataset.corpora.retrievable(feed)
    model = UserKnn(dataset, UserKnnSettings(scope=scope, shrink=shrink, neighbours=neighbours))
    found = model.against(feed, corpus)(queries)
    cuts = queries.histories.offsets
    several = 0
    for place, user in enumerate(queries.users.tolist()):
        part = slice(cuts[place], cuts[place + 1])
        clicks = zip(queries.histories.items[part].tolist(), queries.histories.domains[part].tolist(), strict=True)
        history = {item for item, domain in clicks if scope == "all" or domain == feed}
        similar = {
            other: len(history & taken) / (sqrt(len(history) * len(taken)) + shrink)
            for other, taken in of.items()
            if other != user and history & taken
        }
        nearest = sorted(similar, key=similar.get, reverse=True)[:neighbours]
        if len(similar) > neighbours and similar[nearest[-1]] == sorted(similar.values())[-neighbours - 1]:
            continue  # which of the equally near ones count is open
        several += len(nearest) > 1
        for column, item in enumerate(corpus.tolist()):
            expected = sum(similar[other] for other in nearest if item in of[other])
            assert found[place, column].item() == pytest.approx(expected, abs=2e-6)
    assert several >= 1
