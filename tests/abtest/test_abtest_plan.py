"""The plan of a test, by formula and against what a simulated test finds."""

import math
from datetime import timedelta

import numpy as np
import pytest
from scipy import stats

from abtest_logs import WriteLogs, clicked, many, shown
from adi.abtest.clicks import ClickColumns
from adi.abtest.plan import Plan, PlanRow, Power, plan_from_logs, plan_from_rates
from adi.errors import AdiError

CHARGE = ClickColumns(charge="charge")


def row(plan: Plan, metric: str, domain: str | None = None) -> PlanRow:
    (match,) = [each for each in plan.rows if each.metric == metric and each.domain == domain]
    return match


def test_rates_give_the_normal_formula() -> None:
    """Two arms of n users with 4 exposures each: the CTR's variance is p (1 - p) / 4 n."""
    plan = plan_from_rates(Power(uplift=0.1, days=4), users_a_day=1000, exposures_a_user=4, ctr=0.2)
    assert plan.alpha == 0.05
    z = stats.norm.isf(0.025) + stats.norm.isf(0.2)
    one_day = z * math.sqrt(2 * 0.2 * 0.8 / 4 / 500) / 0.2
    (ctr,) = plan.rows
    assert ctr.value == pytest.approx(0.2)
    assert [each.uplift for each in ctr.horizons] == pytest.approx(
        [one_day / math.sqrt(day) for day in (1, 2, 3, 4)], rel=1e-3
    )
    assert ctr.needed == math.ceil((one_day / 0.1) ** 2)


def test_unequal_shares_detect_less() -> None:
    """The variance of a difference goes with 1 / share (1 - share)."""
    halves, tenth = (
        plan_from_rates(Power(share=share), users_a_day=1000, exposures_a_user=4, ctr=0.2).rows[0].horizons[0].uplift
        for share in (0.5, 0.1)
    )
    assert tenth == pytest.approx(halves * math.sqrt(0.25 / 0.09), rel=1e-3)


def test_charges_vary_more_than_clicks_and_share_the_level() -> None:
    plan = plan_from_rates(Power(), users_a_day=1000, exposures_a_user=4, ctr=0.2, ppc=0.5)
    assert plan.alpha == pytest.approx(0.05 / 3)
    first = {each.metric: each.horizons[0].uplift for each in plan.rows}
    assert first["rpm"] > first["ctr"]
    assert {each.metric: each.value for each in plan.rows} == {"rpm": 100.0, "ppc": 0.5, "ctr": pytest.approx(0.2)}


def test_a_log_gives_its_users_and_values(write_logs: WriteLogs) -> None:
    exposures, clicks = many(600, days=4)
    logs = write_logs(exposures, clicks)
    plan = plan_from_logs(logs.exposures, [logs.clicks], Power(days=8), columns=CHARGE)
    ctr = row(plan, "ctr")
    assert (plan.log_days, plan.alpha) == (4, pytest.approx(0.05 / 6))
    assert ctr.value == pytest.approx(len(clicks) / len(exposures))
    day_one = {each["user"] for each in exposures if each["time"].day == 1}
    assert (ctr.horizons[0].users, ctr.horizons[3].users) == (pytest.approx(len(day_one), abs=2), 600)
    assert [each.extrapolated for each in ctr.horizons] == [False] * 4 + [True] * 4
    assert ctr.horizons[7].uplift == pytest.approx(ctr.horizons[3].uplift / math.sqrt(2))
    assert ctr.needed == math.ceil(4 * (ctr.horizons[3].uplift / 0.05) ** 2)


def test_the_planned_power_is_what_tests_have(write_logs: WriteLogs) -> None:
    """One user, one list, one coin: with the uplift that the plan detects, four of five tests find it."""
    rng = np.random.default_rng(0)
    exposures = [shown(f"u{user}", "a", 47.9 * user / 4000) for user in range(4000)]
    clicks = [
        clicked(each["user"], 0.0, time=each["time"] + timedelta(minutes=1)) for each in exposures if rng.random() < 0.3
    ]
    logs = write_logs(exposures, clicks)
    plan = plan_from_logs(logs.exposures, [logs.clicks], Power(days=2), columns=ClickColumns())
    uplift, ctr = row(plan, "ctr").horizons[1].uplift, len(clicks) / 4000
    control, treatment = rng.binomial(2000, ctr, 2000), rng.binomial(2000, ctr * (1 + uplift), 2000)
    error = np.sqrt((control * (2000 - control) + treatment * (2000 - treatment)) / 2000**3)
    p = 2 * stats.norm.sf(np.abs(treatment - control) / 2000 / error)
    assert np.mean(p < plan.alpha) == pytest.approx(0.8, abs=0.04)


def test_a_domain_with_few_users_has_no_plan(write_logs: WriteLogs) -> None:
    large, small = many(600), many(10, domain="tiny")
    logs = write_logs([*large[0], *small[0]], [*large[1], *small[1]])
    plan = plan_from_logs(logs.exposures, [logs.clicks], Power(), columns=CHARGE)
    tiny = row(plan, "ctr", "tiny")
    assert (tiny.needed, tiny.horizons) == (None, ())
    assert str(tiny.reason).startswith("10 users and")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"uplift": 0.0}, "uplift: 0.0; give a share"),
        ({"power": 1.0}, "power: 1.0; give a share"),
        ({"share": 1.5}, "share: 1.5; give a share"),
        ({"days": 0}, "days: 0; give whole days"),
    ],
)
def test_a_wish_that_is_refused(values: dict[str, float], message: str) -> None:
    with pytest.raises(AdiError, match=message):
        Power(**values)  # type: ignore[arg-type]


def test_rates_and_logs_that_are_refused(write_logs: WriteLogs) -> None:
    with pytest.raises(AdiError, match="users_a_day: 0; give a number above 0"):
        plan_from_rates(Power(), users_a_day=0, exposures_a_user=1, ctr=0.1)
    with pytest.raises(AdiError, match=r"ctr: 1.5; give a share"):
        plan_from_rates(Power(), users_a_day=1, exposures_a_user=1, ctr=1.5)
    logs = write_logs([shown("a", "control", 0), shown("b", "control", 2)], [clicked("a", 0.5)])
    with pytest.raises(AdiError, match="spans less than a day"):
        plan_from_logs(logs.exposures, [logs.clicks], Power())
