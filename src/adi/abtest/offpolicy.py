"""Off-policy estimates: CTR and RPM of an arm from the log of another one that shows items at random.

Of n requests, row i has the reward r (a click, or a charge), and the weight w = target / propensity: the probability of
the shown item in the arm to be estimated, over that in the arm that logged.

    IPS    sum of w r / n                            Horvitz and Thompson, "A Generalization of Sampling Without
                                                     Replacement from a Finite Universe", JASA 1952
    SNIPS  sum of w r / sum of w                     Swaminathan and Joachims, "The Self-Normalized Estimator for
                                                     Counterfactual Learning", NIPS 2015
    DR     sum of (expected + w (r - predicted)) / n Dudík, Langford and Li, "Doubly Robust Policy Evaluation and
                                                     Learning", ICML 2011

with a reward model's prediction for the shown item, and its mean over the choices of the arm to be estimated. Each is a
ratio of two sums over users, whose interval is that of the delta method.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from adi.abtest.database import working_database
from adi.abtest.metrics import METRICS, Metric
from adi.abtest.moments import LEVEL, Columns, aggregates
from adi.abtest.shown import ShownTotals, read_shown
from adi.abtest.trust import LEAST_SUPPORTED, reasons_against
from adi.abtest.uplift import FEWEST_EVENTS, FEWEST_USERS

ESTIMATORS = {"ips": ("weighted", "shown"), "snips": ("weighted", "weight"), "dr": ("robust", "shown")}
"""By estimator, which totals of a reward are summed, and by what they are divided."""


@dataclass(frozen=True, kw_only=True)
class Value:
    """A value and its 95 % interval, by users; `error` is its standard error.

    Without any weight there is no value, and with few users, or few users with a click, no interval.
    """

    value: float | None
    low: float | None
    high: float | None
    error: float | None

    @property
    def half(self) -> float | None:
        """Half of the interval."""
        return None if self.high is None or self.value is None else self.high - self.value

    def text(self, metric: Metric) -> str:
        """``8.49% ±0.31``: the value and half of the interval."""
        shown = metric.text(self.value)
        if self.half is None:
            return shown
        return f"{shown} ±{100 * self.half:.2f}" if metric.percent else f"{shown} ±{self.half:.3g}"


@dataclass(frozen=True, kw_only=True)
class Estimates:
    """The estimates in a domain, or (None) in all domains together.

    Args:
        users, shown: of the log.
        weight: mean weight, whose expectation is the share of the other arm's choices that the log supports: 1 at best.
        effective: effective sample size, (sum of w)² / sum of w². largest: the largest weight's share of all.
        supported: mean of the column of that name; None without it.
        metrics: by metric and estimator (``measured`` is the logging arm's), its value.
        reasons: why the estimates cannot be trusted; none if they can.
    """

    domain: str | None
    users: int
    shown: int
    weight: Value
    effective: float
    largest: float
    supported: float | None
    metrics: Mapping[str, Mapping[str, Value]]
    reasons: tuple[str, ...]

    @property
    def where(self) -> str:
        return "all domains" if self.domain is None else self.domain

    @property
    def trusted(self) -> bool:
        return not self.reasons

    @property
    def sentence(self) -> str:
        """``feed: not trusted, because ...``."""
        return f"{self.where}: " + ("trusted" if self.trusted else f"not trusted, because {'; '.join(self.reasons)}")


@dataclass(frozen=True, kw_only=True)
class OffPolicy:
    """The off-policy evaluation of an arm: all domains together, then each domain."""

    domains: tuple[Estimates, ...]

    @property
    def trusted(self) -> bool:
        """True if the estimates of every domain can be trusted."""
        return all(each.trusted for each in self.domains)

    def to_json(self) -> dict[str, Any]:
        """All of it in plain values."""
        return {
            "trusted": self.trusted,
            "domains": [asdict(each) | {"trusted": each.trusted, "sentence": each.sentence} for each in self.domains],
        }


def evaluate_off_policy(
    tables: str | Path | Sequence[str | Path], *, columns: Mapping[str, str] | None = None, memory: str = "2GB"
) -> OffPolicy:
    """Estimate CTR and RPM of an arm from the log of another one, by domain.

    Args:
        tables: the log of shown items: Parquet or CSV files, folders or globs. A row is a request, with ``request``,
            ``user``, ``domain``, ``propensity``, ``target`` and ``click``; and as far as they are known ``charge``,
            ``supported``, ``predicted``, ``expected``, ``predicted_charge`` and ``expected_charge`` (docs/abtest.md).
        columns: the table's names of columns that have another name there.
        memory: bound of the working database.

    Raises `AdiError` for a missing column and for rows that cannot be used.
    """
    paths = [str(tables)] if isinstance(tables, str | Path) else [str(path) for path in tables]
    with working_database(memory) as connection:
        totals = read_shown(connection, paths, columns or {})
    return estimates_of(totals)


def estimates_of(totals: Sequence[ShownTotals]) -> OffPolicy:
    """The estimates of each domain, and whether they can be trusted."""
    weights = [ratio_of(each.columns, "weight", "shown") for each in totals]
    reasons = reasons_against(totals, [p_of_weight(each.columns) for each in totals])
    return OffPolicy(
        domains=tuple(
            Estimates(
                domain=each.domain,
                users=len(each.columns["shown"]),
                shown=int(each.columns["shown"].sum()),
                weight=weight,
                effective=each.effective,
                largest=each.largest / total if (total := float(each.columns["weight"].sum())) else 0.0,
                supported=float(each.columns["supported"].sum() / each.columns["shown"].sum())
                if "supported" in each.columns
                else None,
                metrics=_metrics(each.columns),
                reasons=against,
            )
            for each, weight, against in zip(totals, weights, reasons, strict=True)
        )
    )


def _metrics(columns: Columns) -> dict[str, dict[str, Value]]:
    """By metric, what the logging arm measured, and each estimate of the other arm."""
    metrics = {}
    for name in ("ctr", "rpm"):
        metric = METRICS[name]
        if metric.numerator in columns:
            metrics[name] = {"measured": ratio_of(columns, metric.numerator, "shown", metric.scale)} | {
                estimator: ratio_of(columns, f"{totals}_{metric.numerator}", by, metric.scale)
                for estimator, (totals, by) in ESTIMATORS.items()
                if f"{totals}_{metric.numerator}" in columns
            }
    return metrics


def ratio_of(columns: Columns, numerator: str, denominator: str, scale: float = 1.0) -> Value:
    """The ratio of two sums over users, times `scale`, with its interval by the delta method; a user is one
    observation."""
    total = float(columns[denominator].sum())
    if total == 0.0:
        return Value(value=None, low=None, high=None, error=None)
    value, users = scale * float(columns[numerator].sum()) / total, len(columns[denominator])
    counted = columns[numerator.replace("robust", "weighted")]
    if users < FEWEST_USERS or np.count_nonzero(counted) < FEWEST_EVENTS:
        return Value(value=value, low=None, high=None, error=None)
    variance = aggregates(columns, [numerator, denominator]).ratio_var(numerator, denominator)
    error = scale * math.sqrt(max(0.0, variance) / users)
    half = error * float(stats.norm.ppf((1.0 + LEVEL) / 2.0))
    return Value(value=value, low=value - half, high=value + half, error=error)


def p_of_weight(columns: Columns) -> float:
    """The p-value of the hypothesis that the probabilities are right: the mean weight is the mean of ``supported``, or
    without that column between the share that has to be supported and 1."""
    least, most, difference = LEAST_SUPPORTED, 1.0, columns["weight"]
    if "supported" in columns:
        least, most, difference = 0.0, 0.0, columns["weight"] - columns["supported"]
    mean = ratio_of({"difference": difference, "shown": columns["shown"]}, "difference", "shown")
    if mean.value is None or mean.error is None:
        return 1.0
    distance = max(least - mean.value, mean.value - most)
    return 1.0 if distance < 1e-9 else float(2.0 * stats.norm.sf(distance / max(mean.error, 1e-300)))
