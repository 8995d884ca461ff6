"""Which part each row of the log belongs to, how many of the user's rows come before it, and what each part holds."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Literal

import ibis
import numpy as np
import pyarrow as pa
from ibis import _
from ibis.backends.duckdb import Backend

from adi.data.arrays import Array, arrow_numbers
from adi.data.manifest import DomainCounts
from adi.errors import AdiError
from adi.features.md5 import md5_number_lower
from adi.schema import LastSplit, RandomSplit, Split, TimeSplit

TRAIN, VALIDATION, TEST = 0, 1, 2
ROWS_AT_ONCE = 1 << 20

TimeKind = Literal["timestamp", "number"] | None


def assign_parts(connection: Backend, rows: ibis.Table, split: Split, time: TimeKind) -> ibis.Table:
    """The coded log in the order of users, and a user's rows in that of time, with the columns `part` and `before`.

    `rows` has the columns user, item, domain, time, row (the place in the files, which breaks ties in time) and
    given_test. `before` counts the user's rows of training and validation that are earlier: a row's history is the
    slice of that many rows from the user's first. Without a time nothing is earlier than anything else, and `before`
    counts all of the user's rows.
    """
    told = rows.mutate(given=_is_given_or_drawn(rows, split, time)).drop("given_test")
    connection.create_table("ordered", told.order_by("user", "time", "row"))  # the one sort of the whole log
    ordered = connection.table("ordered")
    last = int(isinstance(split, LastSplit))  # how many of the newest rows of a (user, domain) are the test's
    found = []
    for user, domain, given in whole_users(ordered.select("user", "domain", "given")):
        parts, before = _parts(user, domain, given, last, timed=time is not None)
        found.append((parts, before, user[parts == VALIDATION]))
    parts, before, held_out = (np.concatenate(own) for own in zip(*found, strict=True))
    parts[parts == VALIDATION] = np.where(_drawn(connection, held_out, split.validation), VALIDATION, TRAIN)
    connection.con.register("parts", pa.table({"part": arrow_numbers(parts), "before": arrow_numbers(before)}))
    connection.con.execute(
        "CREATE TABLE rows AS SELECT ordered.* EXCLUDE (given), parts.* FROM ordered POSITIONAL JOIN parts"
    )
    connection.con.unregister("parts")
    connection.con.execute("DROP TABLE ordered")
    return connection.table("rows")


def whole_users(ordered: ibis.Table) -> Iterator[list[Array]]:
    """The columns of a table sorted by user, its first column, in blocks of all the rows of some users."""
    left: list[Array] | None = None
    for batch in ordered.to_pyarrow_batches(chunk_size=ROWS_AT_ONCE):
        block = [column.to_numpy(zero_copy_only=False) for column in batch.columns]
        if left is not None:
            block = [np.concatenate(pair) for pair in zip(left, block, strict=True)]
        user = block[0]
        end = int(np.searchsorted(user, user[-1])) if len(user) else 0  # the last user may go on in the next batch
        left = [column[end:] for column in block]
        if end:
            yield [column[:end] for column in block]
    if left is not None and len(left[0]):
        yield left


def _parts(user: Array, domain: Array, given: Array, last: int, *, timed: bool) -> tuple[Array, Array]:
    """Part (n,) and `before` (n,) of all rows of some users, by user and then by time, as if all users were drawn."""
    first = np.flatnonzero(np.diff(user, prepend=-1))  # the first row of each user
    sizes = np.diff(first, append=len(user))
    newer = np.full(len(user), -1)  # rows of the user in the domain that are newer, of those that are not given
    free = np.flatnonzero(~given)
    by_domain = free[np.argsort(domain[free], kind="stable")]  # in a domain still by user and time
    changes = (np.diff(domain[by_domain], prepend=-1) != 0) | (np.diff(user[by_domain], prepend=-1) != 0)
    groups = np.diff(np.flatnonzero(changes), append=len(free))
    newer[by_domain] = np.repeat(np.cumsum(groups), groups) - 1 - np.arange(len(free))

    most = np.repeat(np.maximum.reduceat(newer, first), sizes)
    test = given | ((newer < last) & (most >= last))
    validation = (newer == last) & (most > last)
    # A user without a row to keep has none in the test of the last rows, and so all of them before it.
    kept = (newer >= last) | ((most < last) & ~given)
    until = np.cumsum(kept)
    start: Array = np.repeat(until[first] - kept[first], sizes)  # kept rows of the users before
    before = until - kept - start if timed else np.repeat(np.add.reduceat(kept, first, dtype=np.int64), sizes)
    part = np.where(test, TEST, np.where(validation, VALIDATION, TRAIN))
    return part.astype(np.int8), before.astype(np.int32)


def _drawn(connection: Backend, users: Array, share: float) -> Array:
    """Which of the users (n,), ascending, are of the pseudo-random share whose rows may be held out (n,)."""
    distinct, place = np.unique(users, return_inverse=True)
    numbers = ibis.memtable(pa.table({"user": arrow_numbers(distinct)}))
    drawn: Array = connection.to_pyarrow(numbers.select(drawn=_chosen(_.user, share)))["drawn"].to_numpy()
    return drawn[place]


def count_by_domain(rows: ibis.Table, split: Split, domains: tuple[str, ...], place: str) -> dict[str, DomainCounts]:
    """Counts of each domain (corpora still 0); refuses a domain without training rows and a log without test rows.

    A domain may be without test rows, as a tiny one is: it is trained, and what is measured there is undefined. `place`
    names the log in errors.
    """
    seen = _.part != TEST
    counted = rows.group_by("domain").agg(
        train=(_.part == TRAIN).sum(),
        validation=(_.part == VALIDATION).sum(),
        test=(_.part == TEST).sum(),
        users=_.user.nunique(where=seen),
        items=_.item.nunique(where=seen),
    )
    by_index = {row.pop("domain"): row for row in counted.to_pyarrow().to_pylist()}
    result = {name: DomainCounts(corpus=0, **by_index[index]) for index, name in enumerate(domains)}
    shown = split.model_dump(exclude={"validation"})
    for name, counts in result.items():
        if counts.train == 0:
            raise AdiError(
                f"{place}: the split {shown} leaves domain '{name}' no row for training; its {counts.test} rows are "
                "the test's. Choose another split, or give the domain more rows."
            )
    if sum(counts.test for counts in result.values()) == 0:
        rows_kept = sum(counts.train + counts.validation for counts in result.values())
        raise AdiError(
            f"{place}: the split {shown} leaves the test none of the {rows_kept} rows. "
            "Choose another split, or give more rows."
        )
    return result


def _is_given_or_drawn(rows: ibis.Table, split: Split, time: TimeKind) -> ibis.Value:
    if isinstance(split, TimeSplit):
        return rows.time >= _moment(split.at, time)
    if isinstance(split, RandomSplit):
        return _chosen(rows.row, split.share, salt=f"-{split.seed}")
    return rows.given_test


def _chosen(number: ibis.Value, share: float, salt: str = "") -> ibis.Value:
    """A pseudo-random `share` of the numbers, the same on every machine and engine."""
    return md5_number_lower(number.cast("string") + salt).cast("float64") < share * 2.0**64


def _moment(at: object, time: TimeKind) -> float | int:
    """The split's moment in the unit of the time column: microseconds since 1970 for dates and timestamps."""
    if isinstance(at, int | float):
        return at
    moment = at if isinstance(at, datetime) else datetime.fromisoformat(str(at))
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
