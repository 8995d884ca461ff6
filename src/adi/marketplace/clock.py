"""The time of a simulated marketplace: its first day, and the rhythm of a day."""

import numpy as np

SECOND = 1_000_000
HOUR = 3600 * SECOND
DAY = 24 * HOUR

FIRST_DAY = int(np.datetime64("2024-01-01", "us").astype(np.int64))
"""Microseconds since 1970, UTC."""

FIRST_PEAK, LAST_PEAK = 7.0, 22.0
"""Hours between which the visits of each group of users peak."""

NIGHT_AND_MORNING = (0.5, 0.3, 0.2, 0.15, 0.15, 0.2, 0.4, 0.7, 0.9, 1.0, 1.05, 1.1)
AFTERNOON_AND_EVENING = (1.2, 1.15, 1.05, 1.0, 1.05, 1.2, 1.4, 1.7, 2.0, 2.0, 1.6, 1.0)
HOURLY_RATES = np.array([*NIGHT_AND_MORNING, *AFTERNOON_AND_EVENING])
"""Relative rates (24,) of visits and of arrivals of items by hour: quiet nights, busy evenings."""


def time_of_day(quantile: np.ndarray) -> np.ndarray:
    """The times, in microseconds since midnight, by which shares `quantile` of a day's visits have happened, int64."""
    until = np.concatenate([[0.0], np.cumsum(HOURLY_RATES)]) / HOURLY_RATES.sum()
    return np.asarray((np.interp(quantile, until, np.arange(25)) * HOUR).astype(np.int64))
