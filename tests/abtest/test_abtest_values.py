"""The metrics of a small experiment, counted by hand, and the statistics of a small table, by formula."""

import math

import numpy as np
import pytest
from scipy import stats

from abtest_logs import Row, WriteLogs, clicked, many, shown
from adi.abtest.analysis import analyze
from adi.abtest.clicks import ClickColumns
from adi.abtest.correction import corrected
from adi.abtest.metrics import METRICS
from adi.abtest.moments import Estimate, estimate
from adi.abtest.result import AbTest
from adi.abtest.sample_ratio import sample_ratio
from adi.abtest.sequential import always_valid
from adi.abtest.uplift import Uplift

CHARGE = ClickColumns(charge="charge")


def cell(test: AbTest, metric: str, domain: str | None = None) -> Uplift:
    (match,) = [each for each in test.uplifts if each.metric == metric and each.domain == domain]
    return match


@pytest.fixture
def by_hand(write_logs: WriteLogs) -> AbTest:
    """Control: ann has 3 lists, bob 2. Treatment: cat has 2, dan 1 in search and 1 in feed."""
    exposures = [
        shown("ann", "control", 0), shown("ann", "control", 30), shown("ann", "control", 200),
        shown("bob", "control", 0), shown("bob", "control", 1),
        shown("cat", "treatment", 0), shown("cat", "treatment", 47),
        shown("dan", "treatment", 2), shown("dan", "treatment", 3, domain="feed"),
    ]  # fmt: skip
    clicks = [
        clicked("ann", 0.5, 2.0), clicked("ann", 30.9, 1.0), clicked("ann", 30.9, 0.0, item="j"),
        clicked("bob", 1.5, 4.0),
        clicked("cat", 0.1, 3.0),
        clicked("dan", 3.0, 6.0, domain="feed"),
    ]  # fmt: skip
    logs = write_logs(exposures, clicks)
    return analyze(logs.exposures, logs.clicks, columns=CHARGE, retention="2d")


def test_rpm_ppc_and_ctr_are_those_counted_by_hand(by_hand: AbTest) -> None:
    values = {name: (cell(by_hand, name).control_value, cell(by_hand, name).value) for name in ("rpm", "ppc", "ctr")}
    assert values == {
        "rpm": (1000 * 7 / 5, 1000 * 9 / 4),
        "ppc": (7 / 4, 9 / 2),
        "ctr": (4 / 5, 2 / 4),
    }
    in_search = {name: cell(by_hand, name, "search").value for name in ("rpm", "ppc", "ctr")}
    assert in_search == {"rpm": 1000.0, "ppc": 3.0, "ctr": 1 / 3}
    in_feed = {
        name: (cell(by_hand, name, "feed").control_value, cell(by_hand, name, "feed").value) for name in in_search
    }
    assert in_feed == {"rpm": (None, 6000.0), "ppc": (None, 6.0), "ctr": (None, 1.0)}


def test_retention_counts_who_comes_again_after_a_day_and_within_the_time(by_hand: AbTest) -> None:
    """Ann comes again after 30 hours, and cat after 47; bob after one hour, dan in another domain an hour later."""
    assert (cell(by_hand, "retention").control_value, cell(by_hand, "retention").value) == (1 / 2, 1 / 2)
    assert cell(by_hand, "retention").users == (2, 2)
    assert cell(by_hand, "retention", "search").value == 1 / 2


def test_sums_of_arms_and_days_are_those_counted_by_hand(by_hand: AbTest) -> None:
    control = by_hand.arms["control"]
    assert (control.users, control.exposures, control.clicks, control.charge) == (2, 5, 4, 7.0)
    assert control.versions == ("of control",)
    days = {(day.day, day.arm): (day.exposures, day.clicks, day.charge) for day in by_hand.by_day if day.domain is None}
    assert days == {
        ("2026-11-01", "control"): (3, 2, 6.0),
        ("2026-11-02", "control"): (1, 2, 1.0),
        ("2026-11-09", "control"): (1, 0, 0.0),
        ("2026-11-01", "treatment"): (3, 2, 9.0),
        ("2026-11-02", "treatment"): (1, 0, 0.0),
    }


def test_so_few_users_have_no_interval_and_no_verdict(by_hand: AbTest) -> None:
    assert {(each.low, each.p, each.verdict) for each in by_hand.uplifts} == {(None, None, "not decided")}
    assert "2 users in an arm, of 50 that an interval needs" in str(cell(by_hand, "ctr").reason)


def columns(**values: list[float]) -> dict[str, np.ndarray]:
    return {name: np.array(each) for name, each in values.items()}


CONTROL = columns(clicks=[1, 0, 3, 2, 0], exposures=[2, 1, 5, 4, 3], clicks_before=[1, 0, 2, 2, 0])
TREATMENT = columns(clicks=[2, 1, 4, 1], exposures=[2, 3, 5, 1], clicks_before=[1, 1, 2, 0])


def log_error(arm: dict[str, np.ndarray]) -> float:
    """The squared standard error of the log of an arm's CTR: users' residuals, by the mean of the clicks."""
    clicks, exposures = arm["clicks"], arm["exposures"]
    residual = clicks - clicks.sum() / exposures.sum() * exposures
    return float((residual**2).sum() / (len(clicks) - 1) / len(clicks) / clicks.mean() ** 2)


def test_an_interval_is_that_of_the_delta_method_over_users() -> None:
    measured = estimate(METRICS["ctr"], CONTROL, TREATMENT)
    ratio = (8 / 11) / (6 / 15)
    error = math.sqrt(log_error(CONTROL) + log_error(TREATMENT))
    assert measured.uplift == pytest.approx(ratio - 1)
    assert measured.error == pytest.approx(error)
    assert measured.low == pytest.approx(ratio * math.exp(-1.959964 * error) - 1, rel=1e-5)
    assert measured.high == pytest.approx(ratio * math.exp(1.959964 * error) - 1, rel=1e-5)
    assert (measured.control, measured.treatment) == (pytest.approx(6 / 15), pytest.approx(8 / 11))


def test_cuped_subtracts_what_the_time_before_explains() -> None:
    """Users' residuals are regressed on their clicks before, over both arms together."""
    both = {name: np.concatenate([CONTROL[name], TREATMENT[name]]) for name in CONTROL}
    residual = (both["clicks"] - both["clicks"].sum() / both["exposures"].sum() * both["exposures"]) / both[
        "exposures"
    ].mean()
    slope = np.cov(residual, both["clicks_before"])[0, 1] / np.var(both["clicks_before"], ddof=1)
    corrected_values = [
        arm["clicks"].sum() / arm["exposures"].sum()
        - slope * (arm["clicks_before"].mean() - both["clicks_before"].mean())
        for arm in (CONTROL, TREATMENT)
    ]
    measured = estimate(METRICS["ctr"], CONTROL, TREATMENT, ("clicks_before", None))
    assert [measured.control, measured.treatment] == pytest.approx(corrected_values)
    assert measured.error < estimate(METRICS["ctr"], CONTROL, TREATMENT).error


def test_always_valid_intervals_are_those_of_the_mixture() -> None:
    fixed = Estimate(control=1.0, treatment=1.1, uplift=0.1, low=0.0, high=0.2, error=0.02, p=0.01)
    always = always_valid(fixed, typical_uplift=0.05)
    x, v, t = math.log(1.1), 0.02**2, math.log(1.05)

    def likelihood_ratio(y: float) -> float:
        """The mixture's density of x by that of y, with normal densities as they stand."""
        mixture = stats.norm.pdf(x, loc=y, scale=math.sqrt(v + t**2))
        return float(mixture / stats.norm.pdf(x, loc=y, scale=math.sqrt(v)))

    assert likelihood_ratio(math.log1p(always.low)) == pytest.approx(20.0)
    assert likelihood_ratio(math.log1p(always.high)) == pytest.approx(20.0)
    assert always.p == pytest.approx(1.0 / likelihood_ratio(0.0))
    assert (always.uplift, always.error) == (fixed.uplift, fixed.error)


def test_an_estimate_without_an_effect_has_an_always_valid_p_of_1() -> None:
    fixed = Estimate(control=1.0, treatment=1.0, uplift=0.0, low=-0.04, high=0.04, error=0.02, p=1.0)
    assert always_valid(fixed, typical_uplift=0.05).p == 1.0


def test_holm_multiplies_the_least_p_by_the_number_of_tests() -> None:
    assert corrected([0.04, 0.01, 0.03, 0.5]) == pytest.approx([0.09, 0.04, 0.09, 0.5])
    assert corrected([]) == []


def test_the_sample_ratio_is_pearsons() -> None:
    ratio = sample_ratio({"control": 60, "treatment": 40}, {"control": 0.5, "treatment": 0.5})
    assert ratio.expected == {"control": 50.0, "treatment": 50.0}
    assert ratio.p == pytest.approx(stats.chi2.sf(4.0, 1))
    assert ratio.doubt is None
    off = sample_ratio({"control": 600, "treatment": 400}, {"control": 0.5, "treatment": 0.5})
    assert off.doubt is not None
    assert "control 600 users for 500" in off.doubt


def test_a_large_uplift_is_found_in_its_domain_and_not_in_another(write_logs: WriteLogs) -> None:
    better, worse = many(600, uplift=0.8), many(600, domain="feed", seed=1)
    logs = write_logs([*better[0], *worse[0]], [*better[1], *worse[1]])
    test = analyze(logs.exposures, logs.clicks, columns=CHARGE)
    assert (cell(test, "ctr", "search").verdict, cell(test, "ctr", "feed").verdict) == ("helps", "not decided")
    assert cell(test, "ctr", "search").sentence.startswith("treatment helps ctr in search (+")
    assert "ctr in search" in test.summary("treatment")
    assert test.regressions() == []
    backwards = analyze(logs.exposures, logs.clicks, columns=CHARGE, control="treatment")
    assert cell(backwards, "ctr", "search").verdict == "hurts"
    assert [each.domain for each in backwards.regressions() if each.metric == "ctr"] == [None, "search"]


def test_nothing_matters_within_a_wide_margin(write_logs: WriteLogs) -> None:
    logs = write_logs(*many(600))
    test = analyze(logs.exposures, logs.clicks, margin=0.9)
    assert cell(test, "ctr").verdict == "makes no difference"
    assert test.regressions(strict=True) == [cell(test, "retention"), cell(test, "retention", "search")]


def test_the_time_before_makes_intervals_shorter(write_logs: WriteLogs) -> None:
    """Users click as often as before, so that most of what differs between them was known."""
    rng = np.random.default_rng(0)
    exposures: list[Row] = []
    clicks: list[Row] = []
    for user in range(400):
        arm, taste = ("control", "treatment")[user % 2], rng.uniform(0.05, 0.95)
        for hours in [*rng.uniform(-200.0, -1.0, 20), *rng.uniform(0.0, 200.0, 20)]:
            before = {"experiment": None, "assignment": None} if hours < 0 else {}
            exposures.append(shown(f"u{user}", None if before else arm, hours, **before))
            if rng.random() < taste:
                clicks.append(clicked(f"u{user}", hours + 0.01))
    logs = write_logs(exposures, clicks)
    plain = cell(analyze(logs.exposures, logs.clicks), "ctr")
    cuped = cell(analyze(logs.exposures, logs.clicks, before="2026-10-01"), "ctr")
    widths = [each.high - each.low for each in (plain, cuped) if each.low is not None and each.high is not None]
    assert (plain.cuped, cuped.cuped) == (False, True)
    assert widths[1] < 0.6 * widths[0]
    assert (cuped.value, cuped.users) == (plain.value, plain.users)


@pytest.mark.parametrize("covariates", [None, ("clicks_before", None), ("clicks_before", "exposures_before")])
def test_intervals_cover_a_true_uplift_as_often_as_they_say(covariates: tuple[str, str | None] | None) -> None:
    """Users differ in taste and activity, of which the time before tells: 300 tests with an uplift of 30 %."""
    rng, covered = np.random.default_rng(1), 0
    for _ in range(300):
        arms = []
        for factor in (1.0, 1.3):
            taste, activity = rng.beta(2, 8, 1000), rng.gamma(2, 2, 1000)
            exposures, before = 1 + rng.poisson(activity), rng.poisson(activity)
            clicks, clicks_before = rng.binomial(exposures, np.minimum(taste * factor, 1)), rng.binomial(before, taste)
            values = {"exposures": exposures, "clicks": clicks, "exposures_before": before}
            arms.append(values | {"clicks_before": clicks_before})
        measured = estimate(METRICS["ctr"], *arms, covariates=covariates)
        covered += measured.low <= 0.3 <= measured.high
    assert covered / 300 == pytest.approx(0.95, abs=0.03)
