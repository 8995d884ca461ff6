"""Durations as text and as numbers, and those that are refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from adi.durations import MICROSECONDS, Duration, duration_text, in_log_time, log_time_text, microseconds
from adi.errors import AdiError

SECOND = 1_000_000


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30s", 30), ("30m", 1800), ("3h", 10800), ("1.5h", 5400), ("1d", 86400), ("2w", 1209600), (" 3 h ", 10800)],
)
def test_a_number_and_a_unit(text: str, seconds: int) -> None:
    assert microseconds(text) == seconds * SECOND


def test_zero_has_no_length() -> None:
    assert microseconds("0s") == 0


@given(st.integers(0, 10_000), st.sampled_from(sorted(MICROSECONDS)))
def test_whole_numbers_are_exact(number: int, unit: str) -> None:
    assert microseconds(f"{number}{unit}") == number * MICROSECONDS[unit]


@pytest.mark.parametrize(
    "text", ["", "h", "3", "3 hours", "3H", "-3h", "1e3s", "1h30m", "3ms", ".5h", "٣h", "nan", "3h\n4"]
)
def test_another_text_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a duration: give a number and one of the units s, m, h, d, w"):
        microseconds(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(90, "1.5m"), (3600, "1h"), (5400, "1.5h"), (86399, "24h"), (86400, "1d"), (10_000_000, "16.5w"), (0.01, "0.1s")],
)
def test_a_length_as_text(seconds: float, text: str) -> None:
    assert duration_text(seconds * SECOND) == text
    assert abs(microseconds(text) - seconds * SECOND) < 0.1 * MICROSECONDS[text[-1]]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(90, "90s"), (5400, "90m"), (86400, "1d"), (90_000, "25h"), (1_209_600, "2w"), (0.5, "0.5s"), (61.25, "61.25s")],
)
def test_a_length_of_a_log_of_timestamps_as_text(seconds: float, text: str) -> None:
    assert log_time_text(seconds * SECOND, "timestamp") == text


@pytest.mark.parametrize(("length", "text"), [(3600.0, "3600"), (1_209_600, "1209600"), (2.5, "2.5")])
def test_a_length_of_a_log_of_numbers_as_text(length: float, text: str) -> None:
    assert log_time_text(length, "number") == text


@given(st.integers(1, 10**15))
def test_the_text_of_a_length_is_exact(length: int) -> None:
    assert microseconds(log_time_text(length, "timestamp")) == length
    assert float(log_time_text(length / 7, "number")) == length / 7


@pytest.mark.parametrize("given", ["3h", 3, 2.5])
def test_a_setting_keeps_what_was_written(given: str | float) -> None:
    assert TypeAdapter(Duration).validate_python(given) == given


@pytest.mark.parametrize("given", ["0h", 0, -1, float("inf"), float("nan")])
def test_a_setting_is_above_zero(given: str | float) -> None:
    with pytest.raises(ValidationError, match=rf"a duration is above 0 and finite, and this is {given}"):
        TypeAdapter(Duration).validate_python(given)


def test_the_unit_of_a_log() -> None:
    assert in_log_time("3h", "timestamp", name="row_half_life") == 10_800 * SECOND
    assert in_log_time(2.5, "number", name="row_half_life") == 2.5


@pytest.mark.parametrize(
    ("duration", "time", "message"),
    [
        ("3h", None, r"row_half_life: 3h needs a log with time\. Name its column as interactions\.time"),
        (3, "timestamp", r"row_half_life: 3 has no unit\. Give a number and a unit, such as 3h"),
        ("3h", "number", r"row_half_life: '3h' does not fit this log, whose time is a number"),
    ],
)
def test_a_duration_that_does_not_fit_the_log(duration: str | int, time: str | None, message: str) -> None:
    with pytest.raises(AdiError, match=message):
        in_log_time(duration, time, name="row_half_life")
