"""The join of exposures with clicks: totals of users, sums by day, and what was left out."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from adi.abtest.attribution import attribute
from adi.abtest.clicks import ClickColumns, read_clicks
from adi.abtest.database import working_database
from adi.abtest.exposures import Exposures, read_exposures
from adi.abtest.faults import Fault
from adi.abtest.totals import Day, UserTotals, read_days, read_totals
from adi.durations import microseconds
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
        raise ArgumentError("before", f"{before} is not before the first list of the test, {iso_time(start)}.")
    return first, start


def iso_time(moment: datetime) -> str:
    """A time of the working database as ISO 8601 text."""
    return moment.replace(tzinfo=UTC).isoformat(timespec="seconds")
