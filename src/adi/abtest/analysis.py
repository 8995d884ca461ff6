"""The analysis of an experiment: exposures joined with clicks, then every metric by domain and arm."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from adi.abtest.attribution import attribute
from adi.abtest.clicks import ClickColumns, read_clicks
from adi.abtest.database import working_database
from adi.abtest.exposures import Exposures, read_exposures
from adi.abtest.faults import Fault
from adi.abtest.metrics import METRICS, Metric
from adi.abtest.result import AbTest, ArmTotals
from adi.abtest.sample_ratio import SampleRatio, sample_ratio
from adi.abtest.totals import Day, UserTotals, read_days, read_totals, silent_days
from adi.abtest.uplift import Uplift, decided, uplift
from adi.durations import MICROSECONDS, duration_text, microseconds
from adi.errors import ArgumentError


@dataclass(frozen=True, kw_only=True)
class Joined:
    """Exposures and clicks after they are joined: totals of users (all domains first), sums by day, what was left
    out."""

    exposures: Exposures
    totals: list[UserTotals]
    days: list[Day]
    faults: tuple[Fault, ...]
    last_click: datetime | None


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
    doubts = _doubts(joined, ratio, days=days, sequential=sequential)
    return AbTest(
        experiment=exposures.experiment,
        control=exposures.control,
        metrics=tuple(metric.name for metric in metrics),
        domains=tuple(each.domain for each in totals),
        start=_iso(exposures.start),
        end=_iso(exposures.end),
        days=_length(exposures),
        window=window,
        margin=margin,
        sequential=sequential,
        arms=_arm_totals(exposures, totals[0]),
        sample_ratio=ratio,
        faults=joined.faults,
        doubts=doubts,
        notes=_notes(joined, metrics, ratio, retention=retention, before=before, days=days, sequential=sequential),
        uplifts=tuple(
            decided(
                uplifts(totals, exposures.arms, metrics, typical_uplift if sequential else None),
                margin=margin,
                doubts=doubts,
            )
        ),
        by_day=tuple(joined.days),
    )


def join(
    logs: str | Path,
    clicks: str | Path | Sequence[str | Path],
    *,
    columns: ClickColumns,
    experiment: str | None,
    control: str | None,
    arms: tuple[str, ...] | None,
    window: str,
    retention: str,
    before: str | None,
    memory: str,
) -> Joined:
    """Read both logs and credit the clicks to the lists; the arguments are those of `analyze`."""
    within, again = duration(window, "window"), duration(retention, "retention")
    paths = [str(clicks)] if isinstance(clicks, str | Path) else [str(path) for path in clicks]
    with working_database(memory) as connection:
        exposures = read_exposures(connection, Path(logs), experiment=experiment, control=control, arms=arms)
        faults = (*exposures.faults, *read_clicks(connection, paths, columns))
        faults += attribute(connection, within, exposures.start)
        totals = read_totals(
            connection, exposures.arms, end=exposures.end, retention=again, before=_period(before, exposures.start)
        )
        last = connection.execute("SELECT max(time) FROM clicks").fetchone()
        return Joined(
            exposures=exposures,
            totals=totals,
            days=read_days(connection, exposures.arms),
            faults=faults,
            last_click=None if last is None else last[0],
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


def duration(text: str, name: str) -> int:
    """The microseconds of an argument's duration; raises `ArgumentError` for any other text."""
    try:
        length = microseconds(text)
    except ValueError as error:
        raise ArgumentError(name, f"{error}.") from None
    if not length:
        raise ArgumentError(name, f"'{text}' is no time. Give one above 0.")
    return length


def _period(before: str | None, start: datetime) -> tuple[datetime, datetime] | None:
    """The period before the test, up to its first list."""
    if before is None:
        return None
    try:
        first = datetime.fromisoformat(before)
    except ValueError:
        raise ArgumentError("before", f"'{before}' is no time. Give ISO 8601, such as 2026-11-01T00:00:00.") from None
    first = first if first.tzinfo is None else first.astimezone(UTC).replace(tzinfo=None)
    if first >= start:
        raise ArgumentError("before", f"{before} is not before the first list of the test, {_iso(start)}.")
    return first, start


def _iso(moment: datetime) -> str:
    return moment.replace(tzinfo=UTC).isoformat(timespec="seconds")


def _length(exposures: Exposures) -> float:
    return (exposures.end - exposures.start).total_seconds() / 86_400.0


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


def _doubts(joined: Joined, ratio: SampleRatio | None, *, days: float | None, sequential: bool) -> tuple[str, ...]:
    """Why all verdicts are withheld."""
    doubts = [] if ratio is None or ratio.doubt is None else [ratio.doubt]
    doubts += [fault.doubt for fault in joined.faults if fault.doubt is not None]
    if silent := list(silent_days(joined.days)):
        doubts.append(
            f"no click in any arm on {len(silent)} days with exposures, first on {silent[0]}: clicks are missing"
        )
    length = _length(joined.exposures)
    # A last list comes some time before the end of its day.
    if days is not None and not sequential and length < days - 0.25:
        doubts.append(f"stopped early: {length:.1f} of {days:g} days, and these intervals are for one look at the end")
    return tuple(doubts)


def _notes(
    joined: Joined,
    metrics: Sequence[Metric],
    ratio: SampleRatio | None,
    *,
    retention: str,
    before: str | None,
    days: float | None,
    sequential: bool,
) -> tuple[str, ...]:
    """What a reader should know of the numbers."""
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
    if _length(exposures) * MICROSECONDS["d"] <= microseconds(retention):
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
