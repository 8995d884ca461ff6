"""Moments of a log: dates and timestamps, or numbers in the unit of a log whose time is a number."""

from datetime import UTC, date, datetime, timedelta
from typing import Literal

from adi.errors import AdiError

EPOCH = datetime(1970, 1, 1)

Moment = int | float | datetime | date
"""A moment as a schema has it; without a zone it is in UTC."""


def to_log_time(moment: Moment) -> int | float:
    """A moment in the unit of a log's time: microseconds since 1970 for dates and timestamps, or the number itself."""
    if isinstance(moment, int | float):
        return moment
    if not isinstance(moment, datetime):
        moment = datetime(moment.year, moment.month, moment.day)
    moment = moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment
    return (moment - EPOCH) // timedelta(microseconds=1)


def from_log_time(number: int | float, time: Literal["timestamp", "number"] | None) -> int | float | datetime:
    """The moment, in UTC, of a number in the unit of a log's time: the inverse of `to_log_time`."""
    return EPOCH + timedelta(microseconds=int(number)) if time == "timestamp" else number


def check_moment(moment: Moment, time: Literal["timestamp", "number"] | None, *, name: str, column: str) -> None:
    """Raise `AdiError` for a moment of another kind than the time of a log, whose time `column` describes."""
    if isinstance(moment, int | float) != (time == "number"):
        wanted = "number" if time == "number" else "date or a time, such as 2017-10-04T12:00:00"
        raise AdiError(f"{name}: {moment} does not fit {column}. Give a {wanted}.")
