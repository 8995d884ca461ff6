"""Rows that are not used: each has a `reason`, which is null on the rows to keep."""

import ibis
from ibis import _

from adi.data.manifest import RowCounts

NO_TIME = "no readable time"
NOT_POSITIVE = "not positive"
LATE = "at or after split.until"
DUPLICATE = "duplicate"
NO_KEY = "no key"
UNKNOWN_DOMAIN = "domain not in the log"
LEFT_OUT = "domain left out"

ASKED_FOR = frozenset({NOT_POSITIVE, LATE, DUPLICATE, LEFT_OUT})
"""Reasons that the schema asks for by a key of its own. Every other reason is a fault of the row."""


def kept(rows: ibis.Table) -> ibis.Table:
    """The rows without a reason."""
    return rows.filter(_.reason.isnull()).drop("reason")


def count_rows(rows: ibis.Table) -> RowCounts:
    """Rows read, kept, and set aside by reason."""
    counted = rows.group_by("reason").agg(rows=_.count()).order_by("reason").to_pyarrow().to_pylist()
    counts: dict[str | None, int] = {row["reason"]: row["rows"] for row in counted}
    num_kept = counts.pop(None, 0)
    set_aside = {str(reason): count for reason, count in counts.items()}
    return RowCounts(read=num_kept + sum(set_aside.values()), kept=num_kept, set_aside=set_aside)
