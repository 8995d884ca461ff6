"""Moments of users' totals, and a metric's ratio with its uplift by the delta method; tea-tasting does the
statistics."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy import stats
from tea_tasting.aggr import Aggregates
from tea_tasting.metrics import RatioOfMeans

from adi.abtest.metrics import Metric
from adi.data.arrays import Array

LEVEL = 0.95
"""Confidence of every interval."""

Columns = Mapping[str, Array]


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """The values of control and treatment, and the uplift: treatment / control - 1, with its 95 % interval.

    `error` is the standard error of log(treatment / control), `p` of the hypothesis that there is no uplift.
    """

    control: float
    treatment: float
    uplift: float
    low: float
    high: float
    error: float
    p: float


def covariates_of(metric: Metric, columns: Columns) -> tuple[str, str | None] | None:
    """The columns of the period before the test that reduce a metric's variance (CUPED); None where they say nothing.

    Where the log has no exposures (or, for PPC, no clicks) of that period, the covariate is the numerator alone.
    """
    if metric.before is None:
        return None
    numerator, denominator = metric.before
    if np.ptp(columns[numerator]) == 0:
        return None
    return numerator, denominator if columns[denominator].any() else None


def ratio(metric: Metric, columns: Columns) -> float | None:
    """A metric's value over users; None where its denominator is 0."""
    total = columns[metric.denominator].sum()
    return None if total == 0 else float(metric.scale * columns[metric.numerator].sum() / total)


def estimate(
    metric: Metric, control: Columns, treatment: Columns, covariates: tuple[str, str | None] | None = None
) -> Estimate:
    """A metric's uplift, each user one observation (Deng, Knoblich and Lu, "Applying the Delta Method in Metric
    Analytics", KDD 2018), with covariates of the period before the test, if any (Deng, Xu, Kohavi and Walker,
    "Improving the Sensitivity of Online Controlled Experiments", WSDM 2013).

    The interval is that of the logarithm of the ratio, with unequal variances; values are those after CUPED's
    correction.
    """
    test = ratio_of_means(metric, covariates)
    names = [name for name in (metric.numerator, metric.denominator, *(covariates or ())) if name is not None]
    result = test.analyze_aggregates(aggregates(control, names), aggregates(treatment, names))
    low, high = 1.0 + result.rel_effect_size_ci_lower, 1.0 + result.rel_effect_size_ci_upper
    return Estimate(
        control=metric.scale * float(result.control),
        treatment=metric.scale * float(result.treatment),
        uplift=float(result.rel_effect_size),
        low=low - 1.0,
        high=high - 1.0,
        error=math.log(high / low) / 2.0 / float(stats.norm.ppf((1.0 + LEVEL) / 2.0)),
        p=float(result.pvalue),
    )


def ratio_of_means(metric: Metric, covariates: tuple[str, str | None] | None = None, **power: float) -> RatioOfMeans:
    """tea-tasting's test of a metric; `power` are its arguments for the analysis of power."""
    numerator, denominator = covariates or (None, None)
    return RatioOfMeans(
        metric.numerator,
        metric.denominator,
        numerator,
        denominator,
        confidence_level=LEVEL,
        use_t=False,
        equal_var=False,
        alternative="two-sided",
        **power,
    )


def aggregates(columns: Columns, names: list[str]) -> Aggregates:
    """The count, means, variances and covariances of columns, as tea-tasting takes them."""
    values = np.stack([columns[name] for name in names])  # (m, n)
    covariance = np.atleast_2d(np.cov(values, ddof=1))
    return Aggregates(
        count_=values.shape[1],
        mean_=dict(zip(names, values.mean(axis=1).tolist(), strict=True)),
        var_=dict(zip(names, np.diag(covariance).tolist(), strict=True)),
        cov_={
            (left, right): float(covariance[row, column])
            for row, left in enumerate(names)
            for column, right in enumerate(names)
            if left < right
        },
    )
