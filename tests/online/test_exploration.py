"""Exploration: probabilities by hand, draws, another arm at the same requests, and a simulation that logs them."""

import doctest
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import adi.online.exploration
from adi.errors import AdiError
from adi.online.exploration import counterfactual, draw, matches, probabilities
from adi.online.ranking import Ranked
from adi.online.settings import Online
from adi.online.simulate import simulate_experiment

EXPLORING = Online(
    days=2,
    requests=1500,
    candidates=20,
    slots=1,
    explore=1.0,
    others={"control": "random", "random": "control", "treatment": "control"},
)


def ranked(items: list[list[int]], predicted: list[list[float]], bid: list[list[float]], **more: Any) -> Ranked:
    values = {"eligible": np.array(items) >= 0, "reserve": np.zeros(len(items)), "outside": np.ones(len(items))}
    values |= {"attraction": np.array(predicted) * 10.0} | more
    return Ranked(items=np.array(items), predicted=np.array(predicted), bid=np.array(bid), **values)


def test_the_examples() -> None:
    assert doctest.testmod(adi.online.exploration) == (0, 6)


def test_what_may_not_be_shown_has_no_probability() -> None:
    """Of four candidates, one is missing, one is not eligible, and one bids less than the reserve."""
    candidates = ranked(
        [[5, 6, 7, -1], [5, 6, 7, -1]],
        [[0.1, 0.2, 0.1, 0.5], [0.1, 0.2, 0.1, 0.5]],
        [[1.0, 1.0, 0.5, 9.0]] * 2,
        eligible=np.array([[True, False, True, False], [False, False, True, False]]),
        reserve=np.array([0.4, 0.6]),
    )
    assert probabilities(candidates, 1.0).tolist() == [pytest.approx([2 / 3, 0, 1 / 3, 0]), [0, 0, 0, 0]]


def test_a_low_temperature_shows_the_best_without_overflow_or_underflow() -> None:
    candidates = ranked([[5, 6], [5, 6]], [[1e-12, 0.9], [1e-12, 2e-12]], [[0.01, 1e6], [0.01, 0.01]])
    np.testing.assert_allclose(probabilities(candidates, 0.01), [[0.0, 1.0], [0.0, 1.0]], atol=1e-9)


def test_draws_have_their_probabilities() -> None:
    probability = np.repeat([[0.2, 0.0, 0.5, 0.3]], 20_000, axis=0)
    columns = draw(probability, np.random.default_rng(0))
    np.testing.assert_allclose(np.bincount(columns, minlength=4) / 20_000, probability[0], atol=0.012)
    assert draw(np.zeros((2, 3)), np.random.default_rng(0)).tolist() == [-1, -1]


def test_another_arm_at_the_same_requests_is_that_counted_by_hand() -> None:
    """Row 0 shows item 8, which both have; row 1 item 5, which the other has not; row 2 nothing, as the other; row 3
    nothing, where the other shows item 9."""
    this = ranked(
        [[7, 8], [5, 6], [-1, -1], [-1, -1]], [[0.2, 0.4], [0.1, 0.1], [0.1, 0.1], [0.1, 0.1]], [[1.0, 3.0]] * 4
    )
    other = ranked(
        [[8, 9], [6, 9], [-1, -1], [9, -1]], [[0.4, 0.2], [0.1, 0.3], [0.1, 0.1], [0.3, 0.1]], [[3.0, 2.0]] * 4
    )
    target = np.array([[0.75, 0.25], [0.1, 0.9], [0.0, 0.0], [1.0, 0.0]])
    probability = np.array([[0.4, 0.6], [0.5, 0.5], [0.0, 0.0], [0.0, 0.0]])
    column = np.array([1, 0, -1, -1])
    result = counterfactual(column, this, probability, other, target, matches(this.items, other.items), factor=2.0)
    assert result.target.tolist() == [0.75, 0.0, 1.0, 0.0]
    assert result.supported.tolist() == [0.75, 0.1, 1.0, 0.0]
    np.testing.assert_allclose(result.predicted, [0.4, 0.1, 0.0, 0.0])
    np.testing.assert_allclose(result.expected, [0.35, 0.28, 0.0, 0.3])
    np.testing.assert_allclose(result.predicted_charge, [1.2, 0.1, 0.0, 0.0])
    np.testing.assert_allclose(result.expected_charge, [1.0, 0.57, 0.0, 0.9])
    truth = np.array([0.75 * 1.0 + 0.25 * 1.0, 0.1 * 1.0 + 0.9 * 1.0, 0.0, 1.0])  # attractions of 1 or more, doubled
    np.testing.assert_allclose(result.true_clicks, truth)
    np.testing.assert_allclose(result.true_charge, [0.75 * 3 + 0.25 * 2, 0.1 * 3 + 0.9 * 2, 0.0, 3.0])


def test_what_an_arm_may_not_show_supports_nothing() -> None:
    this, other = ranked([[7, 8]], [[0.2, 0.4]], [[1.0, 1.0]]), ranked([[8, 7]], [[0.4, 0.2]], [[1.0, 1.0]])
    result = counterfactual(
        np.array([0]),
        this,
        np.array([[1.0, 0.0]]),
        other,
        np.array([[0.8, 0.2]]),
        matches(this.items, other.items),
        factor=1.0,
    )
    assert (result.target.tolist(), result.supported.tolist()) == ([0.2], [0.2])


@pytest.fixture(scope="module")
def explored(live_market: Path, live_experiment: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("explored") / "live"
    simulate_experiment(live_market, live_experiment, out, EXPLORING, bounds=True, jobs=1, progress=False)
    return out


def log_of(explored: Path, arm: str) -> pa.Table:
    return pq.read_table(explored / "shown" / arm)


def test_every_request_is_a_row_with_its_click_and_charge(explored: Path) -> None:
    for arm in ("control", "treatment", "random", "oracle"):
        log = log_of(explored, arm).to_pylist()
        exposures = [row for row in pq.read_table(explored / "exposures").to_pylist() if row["arm"] == arm]
        assert [(row["user"], row["time"]) for row in log] == [(row["user"], row["time"]) for row in exposures]
        assert all(row["item"] in each["items"] for row, each in zip(log, exposures, strict=True) if row["item"])
        assert len({row["request"] for row in log}) == len(log)
        assert all(0.0 < row["propensity"] <= 1.0 for row in log)
    clicks = pq.read_table(explored / "clicks").to_pylist()
    logs = [row for arm in ("control", "treatment", "random", "oracle") for row in log_of(explored, arm).to_pylist()]
    clicked = [(row["user"], row["item"], row["charge"]) for row in logs if row["click"]]
    assert sorted(clicked) == sorted((row["user"], row["item"], row["charge"]) for row in clicks)
    assert "target" not in log_of(explored, "oracle").column_names


def test_a_click_pays_the_bid_of_its_item(explored: Path, live_world: Any) -> None:
    names = live_world.settings.domain_names
    rows = [row for row in log_of(explored, "control").to_pylist() if row["click"]]
    assert len(rows) > 10
    for row in rows:
        assert row["charge"] == live_world.bid[names.index(row["domain"]), int(row["item"]) - 1]


def test_arms_of_the_same_bundle_have_the_same_probabilities(explored: Path) -> None:
    """The ranking stage's error is that of the request and the item, so that both arms see the same."""
    log = log_of(explored, "treatment").to_pydict()
    assert set(log["other"]) == {"control"}
    np.testing.assert_allclose(log["target"], log["propensity"])
    np.testing.assert_allclose(log["supported"], 1.0)


def test_the_mean_weight_is_what_is_supported_and_estimates_hold_the_truth(explored: Path) -> None:
    """The candidates of the random arm are a tenth of the items, and those of the control others."""
    for arm in ("control", "random"):
        columns = {name: np.array(values) for name, values in log_of(explored, arm).to_pydict().items()}
        weight = columns["target"] / columns["propensity"]
        difference = weight - columns["supported"]
        assert abs(difference.mean()) < 3.0 * difference.std() / np.sqrt(len(weight)), arm
        assert 0.02 < columns["supported"].mean() < 0.6
        robust = columns["expected"] + weight * (columns["click"] - columns["predicted"])
        assert columns["true_clicks"].mean() == pytest.approx(robust.mean(), abs=0.05)
        assert (columns["true_charge"] <= columns["true_clicks"] * 100.0).all()


def test_arms_of_the_same_bundle_click_as_the_truth_has_it(explored: Path) -> None:
    log = {name: np.array(values) for name, values in log_of(explored, "treatment").to_pydict().items()}
    error = np.sqrt((log["true_clicks"] * (1.0 - log["true_clicks"])).sum())
    assert abs(log["click"].sum() - log["true_clicks"].sum()) < 3.5 * error


def test_without_exploration_logs_are_as_before(live_market: Path, live_experiment: Path, tmp_path: Path) -> None:
    """The sums of the arms that are no bundles, as the version before exploration had them."""
    online = Online(days=2, requests=2000, candidates=20)
    summary = simulate_experiment(
        live_market, live_experiment, tmp_path / "a", online, bounds=True, jobs=1, progress=False
    )
    sums = {name: (arm["requests"], arm["clicks"], arm["revenue"]) for name, arm in summary["arms"].items()}
    for name, before in BEFORE.items():
        assert sums[name] == pytest.approx(before, rel=1e-12)
    assert not (tmp_path / "a" / "shown").exists()


BEFORE = {"oracle": (1069, 108, 149.52080522209), "random": (1001, 52, 41.64626102741744)}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"slots": 4}, r"explore: lists of 4 slots: the probability of a draw is known for a list of a single item"),
        ({"explore": 0.0}, r"explore: 0\.0; give a temperature from 0\.01 to 100"),
        ({"explore": float("nan")}, r"explore: nan; give a temperature"),
        ({"explore": None}, r"others: without --explore nothing is drawn at random"),
        ({"others": {"control": "control"}}, r"others: control=control: name another arm"),
    ],
)
def test_settings_that_are_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(AdiError, match=words):
        replace(EXPLORING, **changes)


def test_arms_that_are_refused(live_market: Path, live_experiment: Path, tmp_path: Path) -> None:
    unknown = replace(EXPLORING, others={"control": "treatmen"})
    with pytest.raises(AdiError, match=r"others: 'treatmen' is not one of .*Did you mean 'treatment'\?"):
        simulate_experiment(live_market, live_experiment, tmp_path / "a", unknown, progress=False)
    retrained = replace(EXPLORING, others={"control": "treatment"})
    with pytest.raises(AdiError, match=r"others: the bundles are trained anew"):
        simulate_experiment(live_market, live_experiment, tmp_path / "a", retrained, retrain=print, progress=False)
    assert not (tmp_path / "a").exists()
