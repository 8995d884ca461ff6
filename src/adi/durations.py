"""Durations: text with a unit, such as 30m, 3h or 1d, or a number in the unit of a log whose time is a number."""

import math
import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator

from adi.errors import AdiError

MICROSECONDS = {"s": 1_000_000, "m": 60_000_000, "h": 3_600_000_000, "d": 86_400_000_000, "w": 604_800_000_000}
"""Seconds, minutes, hours, days and weeks in microseconds, the unit of a log's timestamps."""


def microseconds(text: str) -> int:
    """The length of a duration such as ``1.5h``, rounded to microseconds. Raises `ValueError` for any other text.

    Example:
        >>> microseconds("30m")
        1800000000
    """
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?) ?([smhdw])", text.strip(), re.ASCII)
    if match is None:
        raise ValueError(
            f"'{text}' is not a duration: give a number and one of the units {', '.join(MICROSECONDS)}, such as 30m, "
            "3h or 1d"
        )
    return round(float(match[1]) * MICROSECONDS[match[2]])


def duration_text(length: float) -> str:
    """Microseconds as text in the largest unit of which there is at least one, rounded to tenths; at least ``0.1s``.

    Example:
        >>> duration_text(5_400_000_000)
        '1.5h'
    """
    unit = next((unit for unit, size in reversed(MICROSECONDS.items()) if length >= size), "s")
    return f"{max(round(length / MICROSECONDS[unit], 1), 0.1):.1f}".removesuffix(".0") + unit


def log_time_text(length: float, time: Literal["timestamp", "number"] | None) -> str:
    """A length in the unit of a log's time as text: for timestamps a duration that `microseconds` reads back exactly.

    Example:
        >>> log_time_text(5_400_000_000, "timestamp"), log_time_text(5_400.0, "number")
        ('90m', '5400')
    """
    if time != "timestamp":
        return repr(float(length)).removesuffix(".0")
    unit = next((unit for unit, size in reversed(MICROSECONDS.items()) if length % size == 0), "s")
    return f"{length / MICROSECONDS[unit]:.6f}".rstrip("0").rstrip(".") + unit


def positive(duration: int | float | str) -> int | float | str:
    """The duration itself. Raises `ValueError` unless it is a text with a unit or a number, above 0 and finite."""
    length = microseconds(duration) if isinstance(duration, str) else duration
    if not 0 < length < math.inf:
        raise ValueError(f"a duration is above 0 and finite, and this is {duration}")
    return duration


Duration = Annotated[int | float | str, AfterValidator(positive)]
"""A duration above 0 in a schema or a setting, as it is written; `in_log_time` converts it."""

OFF = "off"


def _false_as_off(value: Any) -> Any:
    """YAML reads the word off, if it is not quoted, as false."""
    return OFF if value is False else value


def _positive_or_off(value: int | float | str) -> int | float | str:
    return value if value == OFF else positive(value)


DurationOrOff = Annotated[int | float | str, BeforeValidator(_false_as_off), AfterValidator(_positive_or_off)]
"""A duration in a setting, or the word off."""


def in_log_time(duration: int | float | str, time: Literal["timestamp", "number"] | None, *, name: str) -> int | float:
    """A duration in the unit of a log's time: microseconds for timestamps, otherwise the number that was given.

    `name` is the setting's, in errors. Raises `AdiError` for a log without time, for a number without a unit where the
    time is a timestamp, and for a text with a unit where the time is a number, whose unit is not known.
    """
    if time is None:
        raise AdiError(
            f"{name}: {duration} needs a log with time. Name its column as interactions.time in the schema and prepare "
            f"again, or leave {name} out."
        )
    if time == "timestamp":
        if not isinstance(duration, str):
            raise AdiError(f"{name}: {duration} has no unit. Give a number and a unit, such as {duration}h.")
        return microseconds(duration)
    if isinstance(duration, str):
        raise AdiError(
            f"{name}: '{duration}' does not fit this log, whose time is a number without a unit. "
            "Give a number on the same scale, such as 3600 for an hour if the time counts seconds."
        )
    return duration


def as_duration(length: float, time: Literal["timestamp", "number"] | None) -> Duration:
    """A length in the unit of a log's time as a `Duration`: the inverse of `in_log_time`."""
    return log_time_text(length, time) if time == "timestamp" else length


def worth(rows: int, half_life: float, span: float) -> int:
    """The evenly spread rows that rows are worth that halve with their age, (sum w)^2 / (sum w^2); at least one.

    That is a share of 2 half_life / ln(2) / span of them, where that is less than all.
    """
    share = 2 * half_life / math.log(2) / span if span > 0 else 1.0
    return rows if share >= 1 else max(1, round(rows * share))


def half_lives_of(span: float, time: Literal["timestamp", "number"]) -> list[Duration]:
    """Half-lives worth trying for a log that spans so much time, in its unit: fractions of the span."""
    lengths = [span / fraction for fraction in (4, 16, 64, 256) if span > 0]
    return [duration_text(length) if time == "timestamp" else float(f"{length:.2g}") for length in lengths]
