"""Off-policy estimates: by hand on four rows, on a bandit whose truth is known, and whether they are trusted."""

import math
from pathlib import Path

import numpy as np
import pytest

from adi.abtest.metrics import METRICS
from adi.abtest.offpolicy import Estimates, OffPolicy, Value, evaluate_off_policy, ratio_of
from shown_logs import BY_HAND, CTR, LOGGING, PRICE, TARGET, bandit, shown_item, write_shown


@pytest.fixture
def by_hand(tmp_path: Path) -> OffPolicy:
    return evaluate_off_policy(write_shown(tmp_path / "log.parquet", BY_HAND))


def values(estimates: Estimates, metric: str) -> dict[str, float | None]:
    return {name: value.value for name, value in estimates.metrics[metric].items()}


def test_estimates_are_those_counted_by_hand(by_hand: OffPolicy) -> None:
    everywhere, feed, search = by_hand.domains
    assert [each.domain for each in by_hand.domains] == [None, "feed", "search"]
    assert values(everywhere, "ctr") == pytest.approx(
        {"measured": 3 / 4, "ips": 2.5 / 4, "snips": 2.5 / 3.5, "dr": (0.65 + 0.2 + 1.6 + 0.1) / 4}
    )
    assert values(everywhere, "rpm") == pytest.approx(
        {"measured": 1500.0, "ips": 7000 / 4, "snips": 7000 / 3.5, "dr": (1000.0 + 0.0 + 3000.0 + 100.0) / 4}
    )
    assert values(search, "ctr") == pytest.approx(
        {"measured": 2 / 3, "ips": 2.5 / 3, "snips": 2.5 / 3.5, "dr": 2.45 / 3}
    )
    assert values(feed, "ctr") == {"measured": 1.0, "ips": 0.0, "snips": None, "dr": 0.1}


def test_weights_are_those_counted_by_hand(by_hand: OffPolicy) -> None:
    everywhere, feed, _ = by_hand.domains
    assert everywhere.weight.value == pytest.approx(3.5 / 4)
    assert everywhere.effective == pytest.approx(3.5**2 / (0.25 + 1.0 + 4.0))
    assert everywhere.largest == pytest.approx(2.0 / 3.5)
    assert (everywhere.users, everywhere.shown, everywhere.supported) == (2, 4, None)
    assert (feed.effective, feed.largest) == (0.0, 0.0)


def test_so_few_users_have_no_interval_and_no_trust(by_hand: OffPolicy) -> None:
    everywhere = by_hand.domains[0]
    assert {value.low for metric in everywhere.metrics.values() for value in metric.values()} == {None}
    assert not everywhere.trusted
    assert "2 users, of 50 that an interval needs" in everywhere.sentence


def test_an_interval_is_that_of_the_delta_method_over_users() -> None:
    rng = np.random.default_rng(0)
    shown = rng.integers(1, 9, 80).astype(float)
    weight = shown * rng.uniform(0.5, 1.5, 80)
    weighted = rng.uniform(0.0, 1.0, 80) * weight
    value = ratio_of({"weighted": weighted, "weight": weight}, "weighted", "weight", 1000.0)
    ratio = weighted.sum() / weight.sum()
    error = 1000 * math.sqrt(((weighted - ratio * weight) ** 2).sum() / 79 / 80) / weight.mean()
    assert value.value == pytest.approx(1000 * ratio)
    assert value.error == pytest.approx(error)
    assert value.low == pytest.approx(1000 * ratio - 1.959964 * error)
    assert value.half == pytest.approx(1.959964 * error)


def test_values_are_shown_with_half_of_their_interval() -> None:
    value = Value(value=0.08491, low=0.08181, high=0.08801, error=0.00158)
    assert value.text(METRICS["ctr"]) == "8.49% ±0.31"
    assert Value(value=None, low=None, high=None, error=None).text(METRICS["ctr"]) == "–"


TRUTH = {"ctr": float(TARGET @ CTR), "rpm": 1000.0 * float(TARGET @ (CTR * PRICE))}
NAIVE = float(LOGGING @ CTR)


def test_estimates_of_a_bandit_are_unbiased_and_cover_the_truth(tmp_path: Path) -> None:
    """The reward model is wrong by half, and the logging arm's CTR is 0.19 where the other's is 0.28."""
    logs = [write_shown(tmp_path / f"{seed}.parquet", bandit(400, seed)) for seed in range(24)]
    cells = [evaluate_off_policy(log).domains[0] for log in logs]
    assert sum(each.trusted for each in cells) >= 21  # a right mean weight differs from 1 in 5 % of the logs
    assert np.mean([each.weight.value for each in cells]) == pytest.approx(1.0, abs=0.01)
    for metric, truth in TRUTH.items():
        for name in ("ips", "snips", "dr"):
            estimates = [each.metrics[metric][name] for each in cells]
            errors = [each.error for each in estimates if each.error is not None]
            mean, spread = np.mean([each.value for each in estimates]), np.mean(errors) / math.sqrt(24)
            assert abs(mean - truth) < 3.0 * spread, (metric, name)
            covered = sum(each.low <= truth <= each.high for each in estimates if each.low and each.high)
            assert covered >= 20, (metric, name)  # of 24; 95 % are 23
    measured = [each.metrics["ctr"]["measured"].value for each in cells]
    assert np.mean(measured) == pytest.approx(NAIVE, abs=0.01)


def test_a_right_reward_model_makes_the_interval_shorter(tmp_path: Path) -> None:
    log = write_shown(tmp_path / "log.parquet", bandit(800, 0, predicted=CTR))
    values = evaluate_off_policy(log).domains[0].metrics["ctr"]
    assert (values["dr"].half or 0.0) < 0.9 * (values["ips"].half or 0.0)


def test_choices_that_the_log_does_not_support_are_no_silent_bias(tmp_path: Path) -> None:
    """A tenth of the other arm's choices is an item that is never shown, and is clicked most."""
    target = np.array([0.2, 0.3, 0.4, 0.1])
    rows = bandit(800, 0, target=target)
    (with_share, _) = evaluate_off_policy(write_shown(tmp_path / "a.parquet", rows)).domains
    assert (with_share.metrics["ctr"]["ips"].high or 1.0) < float(target @ CTR)
    assert with_share.reasons == ("the log supports 90.0% of the other arm's choices, of 99% that are needed",)
    without = {name: values for name, values in rows.items() if name != "supported"}
    (by_weight, _) = evaluate_off_policy(write_shown(tmp_path / "b.parquet", without)).domains
    (reason,) = by_weight.reasons
    assert reason.startswith("the mean weight is 0.8")
    assert reason.endswith("probabilities are wrong, or the log lacks choices")


def test_wrong_probabilities_are_seen_in_the_mean_weight(tmp_path: Path) -> None:
    rows = bandit(800, 0)
    rows["propensity"] *= 0.8
    (everywhere, _) = evaluate_off_policy(write_shown(tmp_path / "a.parquet", rows)).domains
    (reason,) = everywhere.reasons
    assert reason.startswith("the mean weight is 1.2")
    assert ", not 1.000 (p = " in reason


def test_a_few_rows_with_most_of_the_weight_are_not_trusted(tmp_path: Path) -> None:
    """Once in a hundred requests the item is shown that the other arm nearly always shows."""
    rng, rows = np.random.default_rng(0), []
    for number in range(5000):
        rare = rng.random() < 0.01
        probabilities = {"propensity": 0.01, "target": 0.9} if rare else {"propensity": 0.99, "target": 0.1}
        rows.append(
            shown_item(f"{number}", user=f"u{number % 900}", click=int(rng.random() < 0.5), supported=1.0)
            | probabilities
        )
    (everywhere, _) = evaluate_off_policy(write_shown(tmp_path / "a.parquet", rows)).domains
    (reason,) = everywhere.reasons
    assert reason.startswith("the effective sample size is ")
    assert reason.endswith(", of 500 that are needed")
