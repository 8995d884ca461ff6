"""Sums of users by day, from which a test of any number of days can be made up."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from adi.abtest.database import Connection
from adi.data.arrays import Array


@dataclass(frozen=True)
class DailySums:
    """The sums of users on days in a domain, or (None) in all domains together.

    Shapes:
        ids: (U,) of all users of the log. user, day: (n,), a position in `ids` and a day from 0. columns: (n,) each.
    """

    domain: str | None
    ids: Array
    user: Array
    day: Array
    columns: Mapping[str, Array]

    def until(self, days: int) -> tuple[Array, dict[str, Array]]:
        """The users (m,) who came in the first days, and their totals over these."""
        rows = self.day < days
        users, codes = np.unique(self.user[rows], return_inverse=True)
        totals = {name: np.bincount(codes, values[rows], minlength=len(users)) for name, values in self.columns.items()}
        return users, totals


def read_daily_sums(connection: Connection) -> list[DailySums]:
    """The sums of all domains together, then of each domain, from the tables ``lists`` and ``attributed``."""
    table = connection.execute("""
        WITH per_list AS (SELECT list, count(*) AS clicks, sum(charge) AS charge FROM attributed GROUP BY list),
        first AS (SELECT min(time) AS start FROM lists)
        SELECT user_id, domain, floor((epoch(time) - epoch(start)) / 86400)::BIGINT AS day,
               count(*)::DOUBLE AS exposures, sum(coalesce(clicks, 0))::DOUBLE AS clicks,
               sum(coalesce(charge, 0))::DOUBLE AS charge
        FROM lists CROSS JOIN first LEFT JOIN per_list USING (list)
        GROUP BY user_id, domain, day ORDER BY user_id, domain, day""").to_arrow_table()
    ids, user = np.unique(table["user_id"].to_numpy(zero_copy_only=False), return_inverse=True)
    domains = table["domain"].to_numpy(zero_copy_only=False)
    day = table["day"].to_numpy()
    values = {name: table[name].to_numpy() for name in ("exposures", "clicks", "charge")}
    sums = [DailySums(None, ids, user, day, values)]
    for domain in sorted(set(domains.tolist())):
        rows = domains == domain
        sums.append(DailySums(domain, ids, user[rows], day[rows], {name: each[rows] for name, each in values.items()}))
    return sums
