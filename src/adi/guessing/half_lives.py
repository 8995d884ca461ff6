"""Half-lives for counters of clicks, proposed from the span and the rate of a log."""

from datetime import datetime, timedelta

LENGTHS = {
    **{f"{minutes}m": timedelta(minutes=minutes) for minutes in (3, 10, 30)},
    **{f"{hours}h": timedelta(hours=hours) for hours in (1, 3, 12)},
    **{f"{days}d": timedelta(days=days) for days in (2, 7, 30)},
}
"""Half-lives to choose from, each about three times the one before."""

LEAST_CLICKS = 200
"""The number of clicks, of all domains, in the shortest half-life."""

LONGEST_SHARE = 1 / 4
"""The longest half-life as a share of the log's span."""

MOST = 5


def half_lives(first: str, last: str, rows: int) -> list[str]:
    """The half-lives that suit a log, shortest first; none if it is too short or too sparse for any.

    Args:
        first, last: its first and last time in ISO format.
        rows: its clicks.

    Example:
        >>> half_lives("2017-10-02 00:00:00", "2017-10-05 00:00:00", rows=720_000)
        ['3m', '10m', '30m', '1h', '3h']
    """
    try:
        span = datetime.fromisoformat(last) - datetime.fromisoformat(first)
    except ValueError:  # such as the time of day alone
        return []
    shortest = span * (LEAST_CLICKS / max(rows, 1))
    suitable = [name for name, length in LENGTHS.items() if shortest <= length <= span * LONGEST_SHARE]
    return suitable[:MOST]
