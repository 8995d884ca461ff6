"""Which part each row of the log belongs to, how many of the user's rows come before it, and what each part holds."""

from datetime import UTC, datetime, timedelta
from typing import Literal

import ibis
import ibis.expr.datatypes as dt
from ibis import _

from adi.data.manifest import DomainCounts
from adi.errors import AdiError
from adi.schema import LastSplit, RandomSplit, Split, TimeSplit

TRAIN, VALIDATION, TEST = 0, 1, 2

TimeKind = Literal["timestamp", "number"] | None


@ibis.udf.scalar.builtin  # type: ignore[untyped-decorator]
def md5_number_lower(text: str) -> dt.uint64:
    """The last 8 of the 16 bytes of the MD5 digest of `text`, as a little-endian number; the engine's own function."""


def assign_parts(rows: ibis.Table, split: Split, time: TimeKind) -> ibis.Table:
    """Add the columns `part` and `before` to the coded log.

    `rows` has the columns user, item, domain, time, row (the place in the files, which breaks ties in time) and
    given_test. `before` counts the user's rows of training and validation that are earlier: a row's history is the
    slice of that many rows from the user's first. Without a time nothing is earlier than anything else, and `before`
    counts all of the user's rows.
    """
    # Sorting the log is most of the work, so all comes from two orders: of a user's rows in a domain, and of all rows.
    rows = rows.mutate(given=_is_given_or_drawn(rows, split, time))
    newest = ibis.window(group_by=[_.user, _.domain, _.given], order_by=[_.time.desc(), _.row.desc()])
    rows = rows.mutate(newer=ibis.ifelse(_.given, -1, ibis.row_number().over(newest)))
    last = int(isinstance(split, LastSplit))  # how many of the newest rows of a (user, domain) are the test's
    by_user = {"group_by": _.user, "order_by": [_.time, _.row]}
    whole = ibis.window(**by_user, preceding=None, following=None)
    earlier = whole if time is None else ibis.window(**by_user, preceding=(None, 1), following=None)
    rows = rows.mutate(
        most=_.newer.max().over(whole),
        before=rows.count(where=rows.newer >= last).over(earlier),
        place=rows.count().over(earlier),
    )
    test = _.given | ((_.newer < last) & (_.most >= last))
    held_out = (_.newer == last) & (_.most > last)
    # In a case, which hashes the users of no other rows.
    validation = ibis.cases((held_out, _chosen(_.user, split.validation)), else_=False)
    part = ibis.cases((test, TEST), (validation, VALIDATION), else_=TRAIN).cast("int8")
    # A user without a row to keep has none in the test of the last rows, and so all of them before it.
    before = ibis.ifelse((_.most < last) & ~_.given, _.place, _.before).cast("int32")
    return rows.mutate(part=part, before=before).drop("given", "given_test", "newer", "most", "place")


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
