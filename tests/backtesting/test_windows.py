"""Windows: where they lie, and those that do not fit a log."""

import datetime as dt

import pytest

from adi.backtesting.windows import windows_of
from adi.errors import ArgumentError
from adi.moments import to_log_time
from adi.preparation.span import Span

NUMBERS = Span(0, 99, "number", ())
DAYS = Span(to_log_time(dt.datetime(2017, 10, 2)), to_log_time(dt.datetime(2017, 10, 4, 23, 51, 7)), "timestamp", ())


def cuts(windows):
    return [*(window.start for window in windows), windows[-1].stop]


@pytest.mark.parametrize("every", [20, "20", 20.0])
def test_the_last_windows_end_after_the_last_row(every):
    assert cuts(windows_of(NUMBERS, every, 3, None)) == [40, 60, 80, 100]


@pytest.mark.parametrize("until", [95, "95"])
def test_until_is_the_end_of_the_last(until):
    windows = windows_of(NUMBERS, 20, 2, until)
    assert [(window.key, window.between, window.label) for window in windows] == [
        ("window-1", (55, 75), "55"),
        ("window-2", (75, 95), "75"),
    ]


@pytest.mark.parametrize(
    ("every", "end"),
    [("3h", (5, 0, 0, 0)), ("1h", (4, 23, 55, 0)), ("10m", (4, 23, 51, 10)), ("1m", (4, 23, 51, 8))],
)
def test_timestamps_end_at_a_round_time(every, end):
    day, hour, minute, second = end
    window = windows_of(DAYS, every, 1, None)[0]
    assert window.stop == dt.datetime(2017, 10, day, hour, minute, second)


def test_a_label_is_without_the_year():
    assert [window.label for window in windows_of(DAYS, "3h", 2, "2017-10-04")] == ["10-03 18:00", "10-03 21:00"]


@pytest.mark.parametrize(
    ("span", "every", "count", "until", "message"),
    [
        (NUMBERS, 0, 2, None, "every: 0; give a length above 0, such as 3600"),
        (NUMBERS, -5, 2, None, "every: -5; give a length above 0"),
        (NUMBERS, "3h", 2, None, "every: '3h' does not fit this log, whose time is a number"),
        (DAYS, 3, 2, None, "every: 3 has no unit. Give a number and a unit, such as 3h"),
        (DAYS, "0", 2, None, "every: '0' is not a duration: give a number and one of the units"),
        (DAYS, "0h", 2, None, "every: 0h; give a length above 0, such as 3h"),
        (DAYS, "soon", 2, None, "every: 'soon' is not a duration"),
        (NUMBERS, 20, 0, None, "windows: 0; give 1 or more"),
        (NUMBERS, 20, 5, None, "windows: 5 of 20 begin at 0, and the log begins at 0 and ends at 99: no row is left"),
        (DAYS, "4d", 1, None, "windows: 1 of 4d begin at 2017-10-01 00:00, and the log begins at 2017-10-02 00:00"),
        (NUMBERS, 20, 2, 120, "until: 120: the last window begins at 100, after the end of the log at 99"),
        (DAYS, "3h", 2, 120, "until: '120' does not fit the log's time. Give a date or a time"),
        (DAYS, "3h", 2, "noon", "until: 'noon' does not fit the log's time"),
        (NUMBERS, 20, 2, "noon", "until: 'noon' does not fit the log's time. Give a number"),
    ],
)
def test_windows_that_do_not_fit(span, every, count, until, message):
    with pytest.raises(ArgumentError) as raised:
        windows_of(span, every, count, until)
    assert str(raised.value).startswith(message)
