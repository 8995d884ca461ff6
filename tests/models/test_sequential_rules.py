"""Sequential rules by hand: shares of followers, distances, domains, and logs without an order."""

import numpy as np
import pytest

from adi.data.dataset import Dataset
from adi.data.histories import Histories
from adi.data.queries import Queries
from adi.errors import AdiError
from adi.models.followers import SequentialRules, SequentialRulesSettings, followers_by_scope
from adi.training.train import train

CLICKS = {"ann": "x:a x:b y:c x:a", "bob": "x:a y:c x:b", "cat": "y:c"}


@pytest.fixture
def clicks(workspace):
    """A log of two domains, of which no row is held out, and a later click for the test."""
    rows = [
        {"user": user, "item": click[2:], "domain": click[0], "time": time}
        for user, clicks in CLICKS.items()
        for time, click in enumerate(clicks.split())
    ]
    workspace.write("log.jsonl", [*rows, {"user": "cat", "item": "a", "domain": "x", "time": 100}])
    workspace.schema["split"] = {"kind": "time", "at": 100, "validation": 0.0}
    workspace.schema["corpus"] = "all"
    workspace.prepare()
    return Dataset(workspace.out)


def shares(dataset, scope, domain, **options):
    """The shares of followers by their names."""
    matrix = followers_by_scope(dataset, scope, shrink=1.0, **options)[domain].tocoo()
    names = [[dataset.items.key(int(item)) for item in side] for side in (matrix.row, matrix.col)]
    return {"".join(pair): share for *pair, share in zip(*names, matrix.data.tolist(), strict=True)}


def test_shares_of_all_domains(clicks):
    """Of ann, b follows a at once and c two later, and so on; an item does not follow itself."""
    expected = {"ab": 1 + 1 / 2, "ac": 1 / 2 + 1, "bc": 1, "ba": 1 / 2, "ca": 1, "cb": 1}
    totals = {"a": 3.0, "b": 1.5, "c": 2.0}
    assert shares(clicks, "all", 0) == pytest.approx({pair: w / (totals[pair[0]] + 1) for pair, w in expected.items()})


def test_shares_of_a_domain(clicks):
    assert shares(clicks, "domain", clicks.domains.index("x")) == pytest.approx({"ab": 2 / 3, "ba": 1 / 2})
    assert shares(clicks, "domain", clicks.domains.index("y")) == {}


def test_followers_are_no_further_than_the_distance(clicks):
    expected = {"ab": 1 / 3, "ac": 1 / 3, "bc": 1 / 2, "ca": 1 / 3, "cb": 1 / 3}
    assert shares(clicks, "all", 0, distance=1) == pytest.approx(expected)


def test_with_a_half_life_a_follower_counts_by_its_age(clicks):
    """The newest row has time 3; of ann, b follows a at 1, c follows b at 2, and so on."""
    totals = {"a": 1 / 4 + 1 / 4, "b": 1 / 2, "c": 1 + 1 / 2}
    expected = {"ab": 1 / 4, "ac": 1 / 4, "bc": 1 / 2, "ca": 1, "cb": 1 / 2}
    found = shares(clicks, "all", 0, distance=1, half_life=1)
    assert found == pytest.approx({pair: w / (totals[pair[0]] + 1) for pair, w in expected.items()})


def test_with_a_half_life_ties_are_broken_by_clicks_of_late(clicks):
    """In x, a has the most clicks of all time, and with a half-life of 1/100 only its last one, of time 3, counts."""
    number, items = clicks.domains.index("x"), np.arange(3)
    new_user = Histories(np.empty(0, np.int64), np.empty(0, np.int64), np.array([0, 0]))
    queries = Queries(np.array([-1]), np.array([number]), new_user, {})
    names = [clicks.items.key(item) for item in range(3)]

    def ties(half_life):
        scores = SequentialRules(clicks, SequentialRulesSettings(half_life=half_life)).against(number, items)(queries)
        return dict(zip(names, (1e6 * scores[0]).tolist(), strict=True))

    assert ties("off") == pytest.approx({"a": 3 / 5, "b": 2 / 5, "c": 0})
    assert ties(0.01) == pytest.approx({"a": 1, "b": 0, "c": 0})
    assert ties(None) == ties("off")  # a log that does not drift


@pytest.mark.parametrize(("scope", "expected"), [("all", {"a": 0.4, "b": 0.8 * 0.4, "c": 0.0}), ("domain", {})])
def test_scores_are_those_of_the_newest_items(clicks, scope, expected):
    """After a in x and c in y, of whose followers the latter count more; in y alone nothing follows c."""
    settings = SequentialRulesSettings(scope=scope, shrink=1.0, distance=1, age_factor=0.8)
    number = clicks.domains.index("y")
    taken = Histories(
        np.array([clicks.items.find("a"), clicks.items.find("c")]), np.array([1 - number, number]), np.array([0, 2])
    )
    items = np.arange(3)
    queries = Queries(np.array([-1]), np.array([number]), taken, {})
    scores = SequentialRules(clicks, settings).against(number, items)(queries)[0].tolist()
    found = {clicks.items.key(int(item)): score for item, score in zip(items, scores, strict=True) if score > 1e-4}
    by_hand = {"a": 1 / 3, "b": 1 / 3 + 0.8 / 3, "c": 0.8 / 3}
    assert found == pytest.approx(by_hand if scope == "all" else expected, abs=1e-5)


def test_a_log_without_time_is_refused(workspace):
    workspace.write("log.jsonl", [{"user": "u", "item": item, "domain": "x"} for item in "abc"])
    del workspace.schema["interactions"]["time"]
    workspace.prepare()
    with pytest.raises(AdiError, match="the log has no time"):
        SequentialRules(Dataset(workspace.out), SequentialRulesSettings())
    with pytest.raises(AdiError, match="the log has no time"):
        train(workspace.out, "sequential-rules", workspace.out.parent / "run")


def test_a_half_life_that_does_not_fit_the_log_is_refused_before_anything_is_written(clicks, tmp_path):
    with pytest.raises(AdiError, match="half_life: '12h' does not fit this log, whose time is a number"):
        train(clicks.folder, "sequential-rules", tmp_path / "run", settings={"half_life": "12h"})
    assert not (tmp_path / "run").exists()
