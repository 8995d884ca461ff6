"""The split of the log: the part of each row, the length of its history, and the counts of each domain."""

from collections.abc import Iterator

import ibis
import numpy as np
import pyarrow as pa
from ibis import _
from ibis.backends.duckdb import Backend

from adi.data.arrays import Array, arrow_numbers
from adi.data.manifest import DomainCounts
from adi.errors import AdiError
from adi.features.md5 import md5_number_lower
from adi.moments import to_log_time
from adi.preparation.cleaning import TimeKind
from adi.schema import LastSplit, RandomSplit, Split, TimeSplit

TRAIN, VALIDATION, TEST = 0, 1, 2
ROWS_AT_ONCE = 1 << 20


def assign_parts(connection: Backend, rows: ibis.Table, split: Split, time: TimeKind) -> ibis.Table:
    """Sort the log in numbers by user and, for each user, by time, and add the columns `part` and `before`.

    `rows` has the columns user, item, domain, time, row (the position in the files, which breaks ties in time) and
    given_test. `before` counts the user's earlier rows of training and validation: a row's history is the slice of that
    many rows from the user's first. Without a time no row is earlier than another, and `before` counts all of the
    user's rows.

    Validation rows are the last training rows of drawn users, or by time the newest training rows of the log: the share
    `split.validation`, and rows as old as the oldest of them.
    """
    marked = rows.mutate(in_test=_in_test(rows, split)).drop("given_test")
    connection.create_table("ordered", marked.order_by("user", "time", "row"))  # the one sort of the log
    ordered = connection.table("ordered")
    num_last = int(isinstance(split, LastSplit))  # how many of the newest rows of a (user, domain) are test rows
    blocks = []
    for user, domain, in_test in blocks_of_users(ordered.select("user", "domain", "in_test")):
        parts, before = _parts(user, domain, in_test, num_last, timed=time is not None)
        blocks.append((parts, before, user[parts == VALIDATION]))
    parts, before, held_out = (np.concatenate(arrays) for arrays in zip(*blocks, strict=True))
    by_time = split.validation_by == "time"
    drawn = _drawn(connection, held_out, 0.0 if by_time else split.validation)
    parts[parts == VALIDATION] = np.where(drawn, VALIDATION, TRAIN)
    connection.con.register("parts", pa.table({"part": arrow_numbers(parts), "before": arrow_numbers(before)}))
    num_newest = max(round(split.validation * np.count_nonzero(parts == TRAIN)), 1)
    part = _newest_held_out(num_newest) if by_time and split.validation else "part"
    connection.con.execute(
        f"CREATE TABLE rows AS SELECT ordered.* EXCLUDE (in_test), {part}, before FROM ordered POSITIONAL JOIN parts"
    )
    connection.con.unregister("parts")
    connection.con.execute("DROP TABLE ordered")
    return connection.table("rows")


def blocks_of_users(ordered: ibis.Table) -> Iterator[list[Array]]:
    """The columns of a table sorted by user, its first column, in blocks that do not divide the rows of a user."""
    rest: list[Array] | None = None
    for batch in ordered.to_pyarrow_batches(chunk_size=ROWS_AT_ONCE):
        block = [column.to_numpy(zero_copy_only=False) for column in batch.columns]
        if rest is not None:
            block = [np.concatenate(pair) for pair in zip(rest, block, strict=True)]
        user = block[0]
        end = int(np.searchsorted(user, user[-1])) if len(user) else 0  # the last user may go on in the next batch
        rest = [column[end:] for column in block]
        if end:
            yield [column[:end] for column in block]
    if rest is not None and len(rest[0]):
        yield rest


def _newest_held_out(num_rows: int) -> str:
    """SQL for the part of a row: the newest `num_rows` training rows, and rows as old as their oldest, are held out."""
    since = (
        f"SELECT time FROM ordered POSITIONAL JOIN parts WHERE part = {TRAIN} ORDER BY time DESC "
        f"LIMIT 1 OFFSET {num_rows - 1}"
    )
    return f"CASE WHEN part = {TRAIN} AND time >= ({since}) THEN {VALIDATION} ELSE part END::TINYINT AS part"


def _parts(user: Array, domain: Array, in_test: Array, num_last: int, *, timed: bool) -> tuple[Array, Array]:
    """Part (n,) and `before` (n,) of all rows of some users, by user and then by time, as if all users were drawn.

    `in_test` (n,) marks rows that are test rows wherever they are; of the others, so are the `num_last` newest of each
    user and domain, if the user keeps another row.
    """
    first = np.flatnonzero(np.diff(user, prepend=-1))  # the first row of each user
    sizes = np.diff(first, append=len(user))
    newer = np.full(len(user), -1)  # the number of newer rows of the user in the domain, rows in the test left out
    free = np.flatnonzero(~in_test)
    by_domain = free[np.argsort(domain[free], kind="stable")]  # in a domain still by user and time
    changes = (np.diff(domain[by_domain], prepend=-1) != 0) | (np.diff(user[by_domain], prepend=-1) != 0)
    groups = np.diff(np.flatnonzero(changes), append=len(free))
    newer[by_domain] = np.repeat(np.cumsum(groups), groups) - 1 - np.arange(len(free))

    most = np.repeat(np.maximum.reduceat(newer, first), sizes)
    test = in_test | ((newer < num_last) & (most >= num_last))
    validation = (newer == num_last) & (most > num_last)
    # A user without another row has no test rows by this rule, and keeps all of them.
    kept = (newer >= num_last) | ((most < num_last) & ~in_test)
    kept_until = np.cumsum(kept)
    earlier_users: Array = np.repeat(kept_until[first] - kept[first], sizes)  # kept rows of the users before
    if timed:
        before = kept_until - kept - earlier_users
    else:
        before = np.repeat(np.add.reduceat(kept, first, dtype=np.int64), sizes)
    part = np.where(test, TEST, np.where(validation, VALIDATION, TRAIN))
    return part.astype(np.int8), before.astype(np.int32)


def _drawn(connection: Backend, users: Array, share: float) -> Array:
    """Whether each of the users (n,), ascending, belongs to the pseudo-random share whose rows may be held out."""
    distinct, position = np.unique(users, return_inverse=True)
    numbers = ibis.memtable(pa.table({"user": arrow_numbers(distinct)}))
    drawn: Array = connection.to_pyarrow(numbers.select(drawn=_chosen(_.user, share)))["drawn"].to_numpy()
    return drawn[position]


def count_by_domain(rows: ibis.Table, split: Split, domains: tuple[str, ...], source: str) -> dict[str, DomainCounts]:
    """Counts of each domain, of its corpus still 0; `source` names the log in errors.

    Raises `AdiError` for a domain without training rows and for a log without test rows. A domain, such as a tiny one,
    may have no test rows: it is trained, and its metrics are undefined.
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
    shown = split.model_dump(exclude={"validation", "validation_by"}, exclude_none=True)
    for name, counts in result.items():
        if counts.train == 0 and counts.validation:
            raise AdiError(
                f"{source}: the split {shown} with validation {split.validation:g} leaves domain '{name}' no row for "
                f"training; it has {counts.test} test rows, and {counts.validation} validation rows, the newest of the "
                "others. Lower split.validation, or choose validation_by: users."
            )
        if counts.train == 0:
            raise AdiError(
                f"{source}: the split {shown} leaves domain '{name}' no row for training; its {counts.test} rows are "
                "test rows. Choose another split, or give the domain more rows."
            )
    if sum(counts.test for counts in result.values()) == 0:
        rows_kept = sum(counts.train + counts.validation for counts in result.values())
        raise AdiError(
            f"{source}: the split {shown} leaves the test none of the {rows_kept} rows. "
            "Choose another split, or give more rows."
        )
    return result


def _in_test(rows: ibis.Table, split: Split) -> ibis.Value:
    """Whether a row is a test row whichever other rows its user has."""
    if isinstance(split, TimeSplit):
        return rows.time >= to_log_time(split.at)
    if isinstance(split, RandomSplit):
        return _chosen(rows.row, split.share, salt=f"-{split.seed}")
    return rows.given_test


def _chosen(number: ibis.Value, share: float, salt: str = "") -> ibis.Value:
    """Whether a number belongs to a pseudo-random `share`, the same on every machine."""
    return md5_number_lower(number.cast("string") + salt).cast("float64") < share * 2.0**64
