"""The analysis of an experiment: exposures joined with clicks, then every metric by domain and arm."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from adi.abtest.cautions import doubts_of, notes_of
from adi.abtest.clicks import ClickColumns
from adi.abtest.exposures import Exposures
from adi.abtest.join import iso_time, join
from adi.abtest.metrics import METRICS, Metric
from adi.abtest.result import AbTest, ArmTotals
from adi.abtest.sample_ratio import sample_ratio
from adi.abtest.totals import UserTotals
from adi.abtest.uplift import Uplift, decided, uplift
from adi.errors import ArgumentError


def analyze(
    logs: str | Path,
    clicks: str | Path | Sequence[str | Path],
    *,
    columns: ClickColumns | None = None,
    experiment: str | None = None,
    control: str | None = None,
    shares: Mapping[str, float] | None = None,
    window: str = "1h",
    retention: str = "7d",
    before: str | None = None,
    days: float | None = None,
    sequential: bool = False,
    typical_uplift: float = 0.05,
    margin: float = 0.01,
    memory: str = "2GB",
) -> AbTest:
    """Compare the arms of an experiment: RPM, PPC, CTR and retention by domain, with intervals that hold.

    Only lists whose arm was chosen by the hash of the user are compared.

    Args:
        logs: folder of exposures, as `adi serve --exposures` writes them.
        clicks: Parquet or CSV files, folders or globs.
        columns: names of the columns of clicks.
        experiment: name; by default the only one of the folder.
        control: name of the arm to compare with; by default ``control``.
        shares: share of the users by arm, for the test of the sample ratio; None: it is not made.
        window: longest time from a list to a click that belongs to it.
        retention: time within which users are to come again.
        before: first moment (ISO 8601) of a period before the test, whose exposures and clicks are in the same tables;
            with it intervals are shorter (CUPED).
        days: planned length of the test in days. A test that is shorter was stopped early, and nothing is decided.
        sequential: intervals that hold however often one looks, and for a test that was stopped early.
        typical_uplift: size of uplift, chosen before the start, for which the sequential intervals are shortest.
        margin: largest relative change that does not matter in practice.
        memory: bound of the working database.

    Raises `AdiError` for tables and arms that cannot be compared (docs/abtest.md).
    """
    check_positive(typical_uplift=typical_uplift, margin=margin)
    with_charge = columns is not None and columns.charge is not None
    metrics = [metric for metric in METRICS.values() if with_charge or not metric.needs_charge]
    joined = join(
        logs,
        clicks,
        columns=columns or ClickColumns(),
        experiment=experiment,
        control=control,
        arms=None if shares is None else tuple(shares),
        window=window,
        retention=retention,
        before=before,
        memory=memory,
    )
    exposures, totals = joined.exposures, joined.totals
    ratio = None if shares is None else sample_ratio(_users(exposures.arms, totals[0]), shares)
    doubts = doubts_of(joined, ratio, days=days, sequential=sequential)
    return AbTest(
        experiment=exposures.experiment,
        control=exposures.control,
        metrics=tuple(metric.name for metric in metrics),
        domains=tuple(each.domain for each in totals),
        start=iso_time(exposures.start),
        end=iso_time(exposures.end),
        days=exposures.days,
        window=window,
        margin=margin,
        sequential=sequential,
        arms=_arm_totals(exposures, totals[0]),
        sample_ratio=ratio,
        faults=joined.faults,
        doubts=doubts,
        notes=notes_of(joined, metrics, ratio, retention=retention, before=before, days=days, sequential=sequential),
        uplifts=tuple(
            decided(
                uplifts(totals, exposures.arms, metrics, typical_uplift if sequential else None),
                margin=margin,
                doubts=doubts,
            )
        ),
        by_day=tuple(joined.days),
    )


def uplifts(
    totals: Sequence[UserTotals], arms: Sequence[str], metrics: Sequence[Metric], typical_uplift: float | None
) -> list[Uplift]:
    """Every uplift: by arm, then by domain, then by metric."""
    return [
        uplift(in_domain, arms, arm, metric, typical_uplift=typical_uplift)
        for arm in range(1, len(arms))
        for in_domain in totals
        for metric in metrics
    ]


def check_positive(**values: float) -> None:
    """Raise `ArgumentError` for a value that is not above 0."""
    for name, value in values.items():
        if not 0.0 < value < 1.0:
            raise ArgumentError(name, f"{value}; give a share above 0 and below 1, such as 0.02 for 2 %.")


def _users(arms: Sequence[str], totals: UserTotals) -> dict[str, int]:
    counts = np.bincount(totals.arms, minlength=len(arms))
    return dict(zip(arms, counts.tolist(), strict=True))


def _arm_totals(exposures: Exposures, totals: UserTotals) -> dict[str, ArmTotals]:
    """The sums of each arm over all domains."""
    columns = {arm: totals.of_arm(number) for number, arm in enumerate(exposures.arms)}
    return {
        arm: ArmTotals(
            users=len(sums["exposures"]),
            exposures=int(sums["exposures"].sum()),
            clicks=int(sums["clicks"].sum()),
            charge=float(sums["charge"].sum()),
            versions=exposures.versions[arm],
        )
        for arm, sums in columns.items()
    }
