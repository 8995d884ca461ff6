"""Half-lives proposed for logs of any span and rate."""

import pytest

from adi.guessing.half_lives import half_lives


@pytest.mark.parametrize(
    ("last", "rows", "expected"),
    [
        ("2020-01-04 00:00:00", 720_000, ["3m", "10m", "30m", "1h", "3h"]),
        ("2020-01-31 00:00:00", 1_000_000, ["10m", "30m", "1h", "3h", "12h"]),
        ("2021-01-01", 5_000, ["30d"]),
        ("2020-01-02 00:00:00", 100, []),
        ("2020-01-01 00:00:00", 1_000_000, []),
    ],
)
def test_from_span_and_rate(last, rows, expected):
    assert half_lives("2020-01-01 00:00:00", last, rows) == expected


def test_a_time_that_is_no_date_has_none():
    assert half_lives("12:00:00", "13:00:00", 10_000) == []
