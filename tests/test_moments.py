"""Moments as numbers in the unit of a log, and back."""

import datetime as dt

import pytest

from adi.errors import AdiError
from adi.moments import check_moment, from_log_time, to_log_time

NOON = dt.datetime(2017, 10, 4, 12, 0, 0, 5)


@pytest.mark.parametrize(
    ("moment", "number"),
    [
        (7, 7),
        (7.5, 7.5),
        (dt.date(1970, 1, 2), 86_400_000_000),
        (dt.datetime(1970, 1, 1, 0, 0, 1, 3), 1_000_003),
        (dt.datetime(1970, 1, 1, 2, tzinfo=dt.timezone(dt.timedelta(hours=1))), 3_600_000_000),
    ],
)
def test_a_moment_in_the_unit_of_the_log(moment, number):
    assert to_log_time(moment) == number


def test_and_back():
    assert from_log_time(to_log_time(NOON), "timestamp") == NOON
    assert from_log_time(7, "number") == 7


@pytest.mark.parametrize(("moment", "time"), [(7, "timestamp"), (NOON, "number"), (NOON.date(), "number")])
def test_a_moment_of_another_kind_is_refused(moment, time):
    with pytest.raises(AdiError, match=rf"split\.at: {moment} does not fit column 'time': INT\. Give a"):
        check_moment(moment, time, name="split.at", column="column 'time': INT")
