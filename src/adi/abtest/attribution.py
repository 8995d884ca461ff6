"""Attribution: each click belongs to the latest list that showed its item to its user in its domain, within a window.

A click that no list accounts for is left out and counted by reason. A click that comes before the list that it would
belong to says that the two clocks are apart.
"""

from datetime import datetime

from adi.abtest.database import Connection, count
from adi.abtest.faults import Fault
from adi.durations import MICROSECONDS
from adi.errors import AdiError


def attribute(connection: Connection, window: int, start: datetime) -> tuple[Fault, ...]:
    """Make the table ``attributed`` (click, list, charge) of clicks since `start`; returns what was left out.

    Raises `AdiError` if no click belongs to a list.

    Args:
        window: microseconds from a list to the last click that belongs to it.
        start: time of the first list. Clicks earlier than this are of the time before the test.
    """
    seconds = window / MICROSECONDS["s"]
    # Of all that was shown, only what was clicked is kept: an exposure has dozens of items, and a click or none.
    connection.execute("""
        CREATE TABLE shown AS
        SELECT list, user_id, domain, time, item
        FROM (SELECT lists.list, lists.user_id, lists.domain, lists.time, unnest(list_distinct(log.items)) AS item
              FROM log JOIN lists USING (filename, file_row_number))
        SEMI JOIN clicks USING (user_id, domain, item)""")
    connection.execute(
        """
        CREATE TABLE matches AS
        SELECT clicks.*, shown.list, shown.time AS shown_at
        FROM clicks ASOF LEFT JOIN shown
          ON clicks.user_id = shown.user_id AND clicks.domain = shown.domain AND clicks.item = shown.item
             AND clicks.time >= shown.time
        WHERE clicks.time >= ?""",
        [start],
    )
    within = f"shown_at IS NOT NULL AND epoch(time) - epoch(shown_at) <= {seconds}"
    connection.execute(f"CREATE TABLE attributed AS SELECT click, list, charge FROM matches WHERE {within}")
    connection.execute(f"""
        CREATE TABLE unmatched AS
        SELECT left_over.*, shown.time AS next_shown, shown.time IS NOT NULL
               AND epoch(shown.time) - epoch(left_over.time) <= {seconds} AS is_early
        FROM (SELECT click, user_id, item, domain, time, shown_at FROM matches WHERE NOT ({within})) AS left_over
        ASOF LEFT JOIN shown
          ON left_over.user_id = shown.user_id AND left_over.domain = shown.domain AND left_over.item = shown.item
             AND left_over.time < shown.time""")
    total = count(connection, "SELECT count(*) FROM matches")
    matched = count(connection, "SELECT count(*) FROM attributed")
    outside = "user_id NOT IN (SELECT user_id FROM lists)"
    early = f"NOT ({outside}) AND coalesce(is_early, false)"
    late = f"NOT ({outside}) AND NOT coalesce(is_early, false) AND shown_at IS NOT NULL"
    never = f"NOT ({outside}) AND NOT coalesce(is_early, false) AND shown_at IS NULL"
    inside = total - count(connection, f"SELECT count(*) FROM unmatched WHERE {outside}")
    faults = tuple(
        fault
        for fault in (
            _fault(connection, "clicks of users outside the experiment", outside, total),
            _fault(connection, "clicks without exposure", never, inside),
            _fault(connection, "clicks later than the window", late, inside),
            _fault(connection, "clicks before their exposure (clocks apart)", early, inside, doubtful=True),
        )
        if fault.rows
    )
    if not matched:
        reasons = "; ".join(fault.sentence for fault in faults) or f"all {total:,} are earlier than the first list"
        raise AdiError(
            f"clicks: none belongs to a list ({reasons}). Check that both logs have the same ids and the same clock."
        )
    if 2 * matched < inside:
        faults = (*faults, _most(inside - matched, inside))
    return faults


def _most(rows: int, inside: int) -> Fault:
    """The fault that most clicks of the experiment's users belong to no list: the join is wrong, not a few rows."""
    return Fault(
        name="clicks that belong to no list, for any of these reasons",
        rows=rows,
        of=inside,
        what="clicks",
        treatment="other ids, clocks apart, or too short a window",
        doubtful=True,
    )


def _fault(connection: Connection, name: str, condition: str, total: int, doubtful: bool = False) -> Fault:
    rows = count(connection, f"SELECT count(*) FROM unmatched WHERE {condition}")
    first = None
    if rows:
        row = connection.execute(
            f"""SELECT user_id, item, domain, time, next_shown FROM unmatched WHERE {condition}
                ORDER BY user_id, time LIMIT 1"""
        ).fetchone()
        assert row is not None
        first = f"user '{row[0]}', item '{row[1]}', domain '{row[2]}', {row[3]}"
        if doubtful:
            (median,) = connection.execute(
                f"SELECT median(epoch(next_shown) - epoch(time)) FROM unmatched WHERE {condition}"
            ).fetchone() or (0.0,)
            first += f", shown at {row[4]} (median {median:.1f} s before)"
    return Fault(name=name, rows=rows, of=total, what="clicks", treatment="left out", first=first, doubtful=doubtful)
