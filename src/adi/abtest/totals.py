"""Totals of users: what each user of each domain was shown, clicked and paid for, and whether the user came again.

The arms are drawn by user, so a user is one observation, however many lists the user was shown.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import pyarrow as pa

from adi.abtest.database import Connection
from adi.data.arrays import Array
from adi.durations import MICROSECONDS

COLUMNS = (
    "exposures", "clicks", "charge", "eligible", "retained", "exposures_before", "clicks_before", "charge_before",
)  # fmt: skip

RETURNS_AFTER = MICROSECONDS["d"]
"""Microseconds after a user's first list from which another list is a return."""


@dataclass(frozen=True)
class UserTotals:
    """Totals of n users in a domain, or (None) in all domains together.

    Shapes:
        users: (n,) ids. arms: (n,) int, positions among the arms. columns: (n,) each, named as in `COLUMNS`.
    """

    domain: str | None
    users: Array
    arms: Array
    columns: Mapping[str, Array]

    def of_arm(self, arm: int) -> dict[str, Array]:
        """The columns of one arm's users."""
        rows = self.arms == arm
        return {name: values[rows] for name, values in self.columns.items()}


def read_totals(
    connection: Connection,
    arms: tuple[str, ...],
    *,
    end: datetime,
    retention: int,
    before: tuple[datetime, datetime] | None,
) -> list[UserTotals]:
    """The totals of all domains together, then of each domain, from the tables ``lists`` and ``attributed``.

    Args:
        end: time of the last list.
        retention: microseconds within which a user is to come again, a day or more after the first list. Users whose
            first list is less than that before the end are not `eligible`.
        before: first moment and end of the period before the test; None: there is none.
    """
    _before(connection, before)
    connection.execute("""
        CREATE TABLE paid AS SELECT list, count(*) AS clicks, sum(charge) AS charge FROM attributed GROUP BY list""")
    names = [name for (name,) in connection.execute("SELECT DISTINCT domain FROM lists ORDER BY domain").fetchall()]
    return [_totals(connection, arms, domain, end, retention) for domain in (None, *names)]


def _before(connection: Connection, before: tuple[datetime, datetime] | None) -> None:
    """Make the table ``earlier`` of the users' exposures, clicks and charges in the period before the test."""
    connection.execute(
        """
        CREATE TABLE earlier AS
        SELECT user_id, domain, sum(exposures) AS exposures, sum(clicks) AS clicks, sum(charge) AS charge
        FROM (SELECT user_id, domain, 1 AS exposures, 0 AS clicks, 0.0 AS charge FROM log
              WHERE served >= $1 AND served < $2 AND user_id IS NOT NULL
              UNION ALL
              SELECT user_id, domain, 0, 1, charge FROM clicks WHERE time >= $1 AND time < $2)
        GROUP BY user_id, domain""",
        list(before or (datetime(1970, 1, 1), datetime(1970, 1, 1))),
    )


def _totals(
    connection: Connection, arms: tuple[str, ...], domain: str | None, end: datetime, retention: int
) -> UserTotals:
    here = "true" if domain is None else "domain = $domain"
    parameters: dict[str, object] = {
        "returns": RETURNS_AFTER / MICROSECONDS["s"],
        "retention": retention / MICROSECONDS["s"],
        "last_start": end - timedelta(microseconds=retention),
    }
    parameters |= {} if domain is None else {"domain": domain}
    table: pa.Table = connection.execute(
        f"""
        WITH here AS (
            SELECT user_id, arm, list, time, min(time) OVER (PARTITION BY user_id) AS first FROM lists WHERE {here}),
        during AS (
            SELECT user_id, min(arm) AS arm, count(*) AS exposures,
                   sum(coalesce(paid.clicks, 0)) AS clicks, sum(coalesce(paid.charge, 0.0)) AS charge,
                   min(first) <= $last_start AS eligible,
                   max(epoch(time) - epoch(first) BETWEEN $returns AND $retention) AS returned
            FROM here LEFT JOIN paid USING (list) GROUP BY user_id),
        past AS (SELECT user_id, sum(exposures) AS exposures, sum(clicks) AS clicks, sum(charge) AS charge
                 FROM earlier WHERE {here} GROUP BY user_id)
        SELECT user_id, arm, during.exposures::DOUBLE AS exposures, during.clicks::DOUBLE AS clicks,
               during.charge::DOUBLE AS charge, eligible::INT::DOUBLE AS eligible,
               (eligible AND returned)::INT::DOUBLE AS retained,
               coalesce(past.exposures, 0)::DOUBLE AS exposures_before,
               coalesce(past.clicks, 0)::DOUBLE AS clicks_before, coalesce(past.charge, 0)::DOUBLE AS charge_before
        FROM during LEFT JOIN past USING (user_id) ORDER BY user_id""",
        parameters,
    ).to_arrow_table()
    position = pa.array([arms.index(arm) for arm in table["arm"].unique().to_pylist()])
    codes = position.take(table["arm"].combine_chunks().dictionary_encode().indices)
    return UserTotals(
        domain=domain,
        users=table["user_id"].to_numpy(zero_copy_only=False),
        arms=np.asarray(codes),
        columns={name: table[name].to_numpy() for name in COLUMNS},
    )


@dataclass(frozen=True, kw_only=True)
class Day:
    """The sums of an arm in a domain (None: in all) on one day, UTC; clicks count on the day of their list."""

    day: str
    arm: str
    domain: str | None
    exposures: int
    clicks: int
    charge: float


def read_days(connection: Connection, arms: tuple[str, ...]) -> list[Day]:
    """The sums of all domains together, then of each domain, by arm and day."""
    rows = connection.execute("""
        SELECT time::DATE::VARCHAR, arm, domain, count(*), sum(coalesce(clicks, 0))::BIGINT,
               sum(coalesce(charge, 0))::DOUBLE
        FROM lists LEFT JOIN paid USING (list)
        GROUP BY GROUPING SETS ((time::DATE, arm, domain), (time::DATE, arm))
        ORDER BY 3 NULLS FIRST, 1, 2""").fetchall()
    order = {arm: number for number, arm in enumerate(arms)}
    days = [
        Day(day=day, arm=arm, domain=domain, exposures=exposures, clicks=clicks, charge=charge)
        for day, arm, domain, exposures, clicks, charge in rows
    ]
    return sorted(days, key=lambda day: (day.domain is not None, day.domain, order[day.arm], day.day))


SURPRISING = 10.0
"""Clicks that a day's exposures let expect, from which on a day without any is no accident."""


def silent_days(days: list[Day]) -> list[str]:
    """The days whose exposures let expect clicks, and which have not one in any arm."""
    exposures, clicks = Counter[str](), Counter[str]()
    for day in days:
        if day.domain is None:
            exposures[day.day] += day.exposures
            clicks[day.day] += day.clicks
    ctr = clicks.total() / max(1, exposures.total())
    return [day for day, shown in sorted(exposures.items()) if not clicks[day] and shown * ctr > SURPRISING]
