"""Cautions: doubts, for which all verdicts are withheld, and notes on what the numbers mean."""

import math
from collections.abc import Sequence

import numpy as np
from scipy import stats

from adi.abtest.join import Joined
from adi.abtest.metrics import METRICS, Metric
from adi.abtest.sample_ratio import SampleRatio
from adi.abtest.totals import silent_days
from adi.abtest.uplift import FEWEST_EVENTS
from adi.data.arrays import Array
from adi.durations import MICROSECONDS, duration_text, microseconds

CARRY_OVER = 0.001
"""The p-value below which the arms are said to have differed before the test."""


def doubts_of(joined: Joined, ratio: SampleRatio | None, *, days: float | None, sequential: bool) -> tuple[str, ...]:
    """Why all verdicts are withheld."""
    doubts = [] if ratio is None or ratio.doubt is None else [ratio.doubt]
    doubts += [fault.doubt for fault in joined.faults if fault.doubt is not None]
    doubts += differences_before(joined)
    if silent := silent_days(joined.days):
        doubts.append(
            f"no click in any arm on {len(silent)} days with exposures, first on {silent[0]}: clicks are missing"
        )
    length = joined.exposures.days
    # A last list comes some time before the end of its day.
    if days is not None and not sequential and length < days - 0.25:
        doubts.append(f"stopped early: {length:.1f} of {days:g} days, and these intervals are for one look at the end")
    return tuple(doubts)


def differences_before(joined: Joined) -> list[str]:
    """Doubts for arms whose users differed before the test, as they do if they had the arms already.

    CUPED would then subtract a part of what the arms do.
    """
    arms, totals = joined.exposures.arms, joined.totals[0]
    doubts = []
    for number, arm in enumerate(arms[1:], start=1):
        control, treatment = totals.of_arm(0), totals.of_arm(number)
        for name in ("exposures_before", "clicks_before", "charge_before"):
            if min(np.count_nonzero(columns[name]) for columns in (control, treatment)) < FEWEST_EVENTS:
                continue
            p = _difference(control[name], treatment[name])
            if p < CARRY_OVER:
                doubts.append(f"the users of {arm} differed from {arms[0]}'s before the test ({name}, p = {p:.1g})")
    return doubts


def _difference(control: Array, treatment: Array) -> float:
    """The p-value of the hypothesis that two samples have the same mean."""
    variance = sum(float(values.var(ddof=1)) / len(values) for values in (control, treatment))
    difference = abs(float(control.mean() - treatment.mean()))
    if variance == 0.0:
        return 1.0 if difference == 0.0 else 0.0
    return float(2.0 * stats.norm.sf(difference / math.sqrt(variance)))


def notes_of(
    joined: Joined,
    metrics: Sequence[Metric],
    ratio: SampleRatio | None,
    *,
    retention: str,
    before: str | None,
    days: float | None,
    sequential: bool,
) -> tuple[str, ...]:
    """Sentences that a reader of the numbers should know."""
    exposures, notes = joined.exposures, []
    if ratio is None:
        notes.append("The sample ratio is not tested: give the experiment's file, which has the weights of its arms.")
    if METRICS["rpm"] not in metrics:
        notes.append("RPM and PPC are not reported: name the column of charges.")
    for arm, versions in exposures.versions.items():
        if len(versions) > 1:
            notes.append(
                f"{arm} was answered by {len(versions)} versions ({', '.join(versions)}), one after the other."
            )
    if exposures.days * MICROSECONDS["d"] <= microseconds(retention):
        notes.append(
            f"Retention is not defined: the test is no longer than {retention}, within which users may return."
        )
    if before is not None and not any(
        joined.totals[0].columns[name].any() for name in ("exposures_before", "clicks_before")
    ):
        notes.append(
            f"No user of the test has an exposure or a click from {before} on to its start: CUPED changes nothing."
        )
    if joined.last_click is not None and joined.last_click < exposures.end:
        short = (exposures.end - joined.last_click).total_seconds() * MICROSECONDS["s"]
        if short > MICROSECONDS["h"]:
            notes.append(f"The last click is {duration_text(short)} before the last list.")
    if sequential:
        notes.append("Intervals are always valid: they hold however often one looks.")
    elif days is None:
        notes.append(
            "Intervals hold for one look, at an end that was set before the start. For daily looks: --sequential; and "
            "--days says how long the test was to be."
        )
    return tuple(notes)
