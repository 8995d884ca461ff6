"""Mean uplifts over the seeds, by hand."""

import math
from statistics import NormalDist

import pytest

from adi.reproduce.uplifts import Experiment, Measured, mean_uplift, mean_uplifts

Z = NormalDist().inv_cdf(0.975)


def measured(log: float | None, error: float = 0.0, *, domain: str | None = "feed", metric: str = "rpm") -> Measured:
    """An uplift of exp(log) - 1 with a standard error of its logarithm."""
    bounds = (None, None, None) if log is None else tuple(math.expm1(log + z * error) for z in (0.0, -Z, Z))
    return Measured(
        domain=domain, metric=metric, control_value=1.0, value=1.0, uplift=bounds[0], low=bounds[1], high=bounds[2]
    )


def half_width(mean) -> float:
    """The standard error of the mean's logarithm."""
    return (math.log1p(mean.high) - math.log1p(mean.low)) / 2 / Z


def test_one_seed_keeps_its_interval() -> None:
    only = measured(0.1, 0.04)
    mean = mean_uplift([only])
    assert (mean.uplift, mean.low, mean.high) == pytest.approx((only.uplift, only.low, only.high))


def test_equal_seeds_have_the_interval_of_all_their_users() -> None:
    mean = mean_uplift([measured(0.1, 0.03), measured(0.1, 0.05)])
    assert mean.uplift == pytest.approx(math.expm1(0.1))
    assert half_width(mean) == pytest.approx(math.sqrt((0.0009 + 0.0025) / 2 / 2))


def test_seeds_that_differ_make_it_wider() -> None:
    """The variance of 0 and .2 over the seeds is .02, above the .0001 of the users."""
    mean = mean_uplift([measured(0.0, 0.01), measured(0.2, 0.01)])
    assert mean.uplift == pytest.approx(math.expm1(0.1))
    assert half_width(mean) == pytest.approx(math.sqrt(0.02 / 2))


def test_a_seed_without_an_interval_is_left_out_and_counted_out() -> None:
    mean = mean_uplift([measured(None), measured(0.1, 0.03)])
    assert (mean.seeds, mean.uplift) == (1, pytest.approx(math.expm1(0.1)))
    assert mean_uplift([measured(None)]) is None


def test_each_metric_and_domain_has_its_mean() -> None:
    uplifts = (measured(0.1, 0.1), measured(0.3, 0.1, domain=None), measured(None, metric="ppc"))
    means = mean_uplifts([Experiment(doubts=(), uplifts=uplifts)] * 2)
    found = {key: mean and round(math.log1p(mean.uplift), 6) for key, mean in means.items()}
    assert found == {("rpm", "feed"): 0.1, ("rpm", "all domains"): 0.3, ("ppc", "feed"): None}
