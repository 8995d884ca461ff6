"""The benchmark of A/A analyses, at a size that a test has time for."""

import numpy as np
import pytest

from adi.abtest.totals import UserTotals
from benchmarks.abtest.calibration import is_treated, rate, with_planted


def test_every_test_has_a_rate_and_the_summary_the_speed(measure, live_experiment) -> None:
    """In a folder that has a marketplace and a bundle already."""
    report = measure("abtest --days 2 --requests 400 --salts 3 --runs 0 --folder", live_experiment.parent)
    assert [row["domain"] for row in report["rows"][::4]] == ["all domains", "cart", "feed", "search"]
    assert {row["metric"] for row in report["rows"]} == {"rpm", "ppc", "ctr", "retention"}
    for row in report["rows"]:
        assert row["analyses"] in (0, 3)
        if row["analyses"]:
            assert row["rate"] == pytest.approx(row["found"] / 3, abs=1e-4)
            assert row["low"] <= row["rate"] <= row["high"]
    found = report["found"]
    assert 600 < found["requests"] < 1000
    assert found["requests_per_second"] > 0
    for name in ("any_after_holm", "ctr_on_any_day_fixed", "ctr_on_any_day_always_valid", "power_found"):
        assert " of 3, " in found[name]


def test_a_rate_has_its_exact_interval() -> None:
    """Clopper and Pearson: of 10 with none, up to 1 - .025 ^ (1 / 10)."""
    row = rate(np.zeros(10, dtype=bool))
    assert (row["found"], row["low"], row["high"]) == (0, 0.0, round(1 - 0.025**0.1, 4))


def test_salts_divide_users_in_halves_and_independently() -> None:
    users = np.array([str(user) for user in range(2000)])
    one, other = is_treated(users, "1"), is_treated(users, "2")
    assert one.mean() == pytest.approx(0.5, abs=0.04)
    assert (one & other).mean() == pytest.approx(0.25, abs=0.04)


def test_a_planted_uplift_is_found_where_it_is_large_and_none_is_where_there_is_none() -> None:
    rng = np.random.default_rng(0)
    clicks, treated = rng.poisson(2.0, 4000).astype(float), np.arange(4000) % 2 == 1
    totals = UserTotals(
        domain=None,
        users=np.arange(4000),
        arms=treated.astype(int),
        columns={"clicks": clicks, "exposures": clicks + 9},
    )
    p = {uplift: with_planted(totals, treated, uplift, rng) for uplift in (0.0, 0.5, 1.5)}
    assert p[0.0] > 0.05
    assert p[1.5] < p[0.5] < 1e-9
