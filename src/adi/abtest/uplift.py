"""The uplift of an arm over the control in one metric and domain: its values, 95 % interval, verdict and sentence."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from adi.abtest.correction import ALPHA, corrected
from adi.abtest.metrics import Metric
from adi.abtest.moments import Columns, covariates_of, estimate, ratio
from adi.abtest.sequential import always_valid
from adi.abtest.totals import UserTotals

Verdict = Literal["helps", "hurts", "makes no difference", "not decided"]
"""The words of `adi compare`: the arm raises the metric, lowers it, or changes it by less than matters."""

FEWEST_USERS = 50
"""Users that each arm needs in a domain before an interval is claimed: the delta method is for many."""

FEWEST_EVENTS = 10
"""Users of each arm that need to have clicked (or come again) before an interval is claimed."""


@dataclass(frozen=True, kw_only=True)
class Uplift:
    """An arm's value against the control's, in a domain or (None) in all domains together.

    `users` are those of control and arm that the metric is about. `low` and `high` bound the 95 % interval of the
    relative `uplift`; `p_corrected` is Holm's. Where no interval can be claimed they are None, and `reason` says why.
    `cuped` says that the interval uses the period before the test.
    """

    arm: str
    domain: str | None
    metric: str
    users: tuple[int, int]
    control_value: float | None
    value: float | None
    uplift: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    p_corrected: float | None = None
    cuped: bool = False
    verdict: Verdict = "not decided"
    reason: str | None = None

    @property
    def where(self) -> str:
        return "all domains" if self.domain is None else self.domain

    @property
    def sentence(self) -> str:
        """``treatment hurts in search: rpm -3.1 % (95 % -5.0 % to -1.2 %)``."""
        if self.uplift is None or self.low is None or self.high is None:
            return f"whether {self.arm} helps or hurts {self.metric} in {self.where} is not decided ({self.reason})"
        because = f"{self.uplift:+.1%}, 95 % {self.low:+.1%} to {self.high:+.1%}"
        if self.verdict == "not decided":
            more = "" if self.reason is None else f"; {self.reason}"
            return f"whether {self.arm} helps or hurts {self.metric} in {self.where} is not decided ({because}{more})"
        return f"{self.arm} {self.verdict} {self.metric} in {self.where} ({because})"


def uplift(
    totals: UserTotals, arms: Sequence[str], arm: int, metric: Metric, *, typical_uplift: float | None
) -> Uplift:
    """The uplift of an arm, given by position, over the first, without a verdict.

    Args:
        typical_uplift: of the always-valid intervals (`adi.abtest.sequential`); None: an interval for one look at the
            end.
    """
    control, treatment = totals.of_arm(0), totals.of_arm(arm)
    counts = tuple(int(np.count_nonzero(columns[metric.denominator])) for columns in (control, treatment))
    result = Uplift(
        arm=arms[arm],
        domain=totals.domain,
        metric=metric.name,
        users=(counts[0], counts[1]),
        control_value=ratio(metric, control),
        value=ratio(metric, treatment),
    )
    if reason := _too_few(metric, control, treatment):
        return replace(result, reason=reason)
    covariates = covariates_of(metric, totals.columns)
    measured = estimate(metric, control, treatment, covariates)
    if typical_uplift is not None:
        measured = always_valid(measured, typical_uplift=typical_uplift)
    return replace(
        result,
        uplift=measured.uplift,
        low=measured.low,
        high=measured.high,
        p=measured.p,
        cuped=covariates is not None,
    )


def _too_few(metric: Metric, *arms: Columns) -> str | None:
    """Why no interval can be claimed; None where it can."""
    users = min(int(np.count_nonzero(columns[metric.denominator])) for columns in arms)
    if users < FEWEST_USERS:
        return f"{users} users in an arm, of {FEWEST_USERS} that an interval needs"
    events = min(int(np.count_nonzero(columns[metric.numerator])) for columns in arms)
    if events < FEWEST_EVENTS:
        return f"{events} users in an arm with any {metric.numerator}, of {FEWEST_EVENTS} that an interval needs"
    if not all(_varies(metric, columns) for columns in arms):
        return f"every user of an arm has the same {metric.name}"
    return None


def _varies(metric: Metric, columns: Columns) -> bool:
    """Whether the users of an arm differ in a metric, without which it has no standard error."""
    numerator, denominator = columns[metric.numerator], columns[metric.denominator]
    residual = numerator - numerator.sum() / denominator.sum() * denominator
    return bool(np.abs(residual).max() > 1e-9 * np.abs(numerator).max())


def decided(uplifts: Sequence[Uplift], *, margin: float, doubts: Sequence[str]) -> list[Uplift]:
    """The uplifts with their corrected p-values and verdicts; with any doubt, every verdict is withheld."""
    values = iter(corrected([each.p for each in uplifts if each.p is not None]))
    return [
        each if each.p is None else _decided(replace(each, p_corrected=next(values)), margin=margin, doubts=doubts)
        for each in uplifts
    ]


def _decided(measured: Uplift, *, margin: float, doubts: Sequence[str]) -> Uplift:
    uplift, low, high, p = measured.uplift, measured.low, measured.high, measured.p_corrected
    assert uplift is not None
    assert low is not None
    assert high is not None
    assert p is not None
    if doubts:
        return replace(measured, reason=doubts[0])
    if -margin <= low and high <= margin:
        return replace(measured, verdict="makes no difference")
    if p < ALPHA:
        return replace(measured, verdict="helps" if uplift > 0 else "hurts")
    return measured
