"""The split of the log: the part of each row, the length of its history, and the counts of each domain."""

from dataclasses import dataclass

import ibis
import numpy as np
from ibis import _

from adi.data.arrays import Array, arrow_numbers
from adi.data.manifest import DomainCounts
from adi.engines.engine import Engine
from adi.errors import AdiError
from adi.features.md5 import md5_lower
from adi.moments import to_log_time
from adi.preparation.cleaning import TimeKind
from adi.preparation.literals import exactly
from adi.schema import LastSplit, RandomSplit, Split, TimeSplit

TRAIN, VALIDATION, TEST = 0, 1, 2

MOST_FOR_LEAST = 0.5
"""The largest share of a domain's users that is drawn to reach `validation_least`, and of a user's rows in it."""

DEEPEST = 10
"""The most rows of a user in a domain that are validation rows. Earlier ones tell less about what comes next."""


def assign_parts(engine: Engine, rows: ibis.Table, split: Split, time: TimeKind) -> ibis.Table:
    """Sort the log in numbers by user and, for each user, by time, and add the columns `part` and `before`.

    `rows` has the columns user, item, domain, time, row (the position in the files, which breaks ties in time) and
    given_test. `before` counts the user's earlier rows of training and validation: a row's history is the slice of that
    many rows from the user's first. Without a time no row is earlier than another, and `before` counts all of the
    user's rows.

    Validation rows are the last training rows of drawn users, or by time the newest training rows of the log: the share
    `split.validation`, and rows as old as the oldest of them. Of a domain in which few users are drawn so, more are,
    and where that is not enough, several of their last rows (`adi.schema.HeldOut.validation_least`).
    """
    by_time = split.validation_by == "time"
    part_of = Parts(split, timed=time is not None)
    inputs = ["user", "domain", "row" if isinstance(split, RandomSplit) else "in_test"]
    if not isinstance(split, RandomSplit):
        rows = rows.mutate(
            in_test=rows.time >= exactly(to_log_time(split.at)) if isinstance(split, TimeSplit) else _.given_test
        )
    outputs = {"part": np.int8, "before": np.int32, "draw": np.float64, "depth": np.int8}
    divided = engine.compute("rows", rows.drop("given_test"), ("user", "time", "row"), inputs, part_of, outputs)
    drawn = ibis.literal(False) if by_time else _is_drawn(divided, split)
    candidate = divided.part == VALIDATION
    divided = divided.mutate(part=ibis.ifelse(candidate & ~drawn, TRAIN, _.part).cast("int8")).drop("draw", "depth")
    if by_time and split.validation:
        trained = divided.filter(_.part == TRAIN)
        num_rows = int(trained.count().to_pyarrow().as_py())
        if num_rows:
            rank = num_rows - max(round(split.validation * num_rows), 1)
            (since,) = engine.values_at(trained.select(value=_.time), np.array([rank])).tolist()
            newest = (_.part == TRAIN) & (_.time >= exactly(since))
            divided = divided.mutate(part=ibis.ifelse(newest, VALIDATION, _.part).cast("int8"))
    return divided


def _is_drawn(rows: ibis.Table, split: Split) -> ibis.Value:
    """Whether a candidate is a validation row: of a drawn user, and among as many of the last rows as its domain needs.

    A domain whose last rows of half of the users are too few needs more rows of each.
    """
    if split.validation == 0:
        return ibis.literal(False)
    candidates = rows.filter(_.part == VALIDATION)
    counted = candidates.group_by("domain", "depth").agg(rows=_.count()).order_by("domain", "depth").to_pyarrow()
    domains, counts = counted["domain"].to_numpy(), counted["rows"].to_numpy()
    shares, depths = [], []
    for domain in np.unique(domains):
        of_depths = np.cumsum(counts[domains == domain])
        wanted = split.validation_least / of_depths[0]
        if wanted > split.validation:
            shares.append((rows.domain == int(domain), float(min(wanted, MOST_FOR_LEAST))))
        if wanted > MOST_FOR_LEAST:
            enough = np.flatnonzero(MOST_FOR_LEAST * of_depths >= split.validation_least)
            depths.append((rows.domain == int(domain), int(enough[0]) if len(enough) else DEEPEST))
    share = ibis.cases(*shares, else_=split.validation) if shares else split.validation
    depth = ibis.cases(*depths, else_=0) if depths else 0
    return (_.draw < share) & (_.depth <= depth)


@dataclass(frozen=True)
class Parts:
    """Computes `part` and `before` of all rows of some users, by user and then by time, `draw` and `depth`.

    `part` is that of a split in which the last training rows of every user in each domain are validation rows, up to
    `DEEPEST` of them and half of the user's. `depth` counts the later ones of them. `draw` is a pseudo-random number of
    the user in [0, 1), the same on every machine.
    """

    split: Split
    timed: bool

    def __call__(self, rows: dict[str, Array]) -> dict[str, Array]:
        user, split = rows["user"], self.split
        if isinstance(split, RandomSplit):
            in_test = chosen(rows["row"], split.share, salt=f"-{split.seed}")
        else:
            in_test = rows["in_test"]
        num_last = int(isinstance(split, LastSplit))  # how many of the newest rows of a (user, domain) are test rows
        part, before, depth = _parts(user, rows["domain"], in_test, num_last, timed=self.timed)
        candidates = np.flatnonzero(part == VALIDATION)
        distinct, position = np.unique(user[candidates], return_inverse=True)
        draw = np.zeros(len(user))
        draw[candidates] = draws(distinct)[position]
        return {"part": part, "before": before, "draw": draw, "depth": depth}


def _parts(user: Array, domain: Array, in_test: Array, num_last: int, *, timed: bool) -> tuple[Array, Array, Array]:
    """`part`, `before` and `depth` (n,) of all rows of some users, by user and then by time (`Parts`).

    `in_test` (n,) marks rows that are test rows wherever they are; of the others, so are the `num_last` newest of each
    user and domain, if the user keeps another row.
    """
    first = np.flatnonzero(np.diff(user, prepend=-1))  # the first row of each user
    sizes = np.diff(first, append=len(user))
    newer = np.full(len(user), -1)  # the number of newer rows of the user in the domain, rows in the test left out
    of_group = np.zeros(len(user), dtype=np.int64)  # the number of all these rows
    free = np.flatnonzero(~in_test)
    by_domain = free[np.argsort(domain[free], kind="stable")]  # in a domain still by user and time
    changes = (np.diff(domain[by_domain], prepend=-1) != 0) | (np.diff(user[by_domain], prepend=-1) != 0)
    groups = np.diff(np.flatnonzero(changes), append=len(free))
    newer[by_domain] = np.repeat(np.cumsum(groups), groups) - 1 - np.arange(len(free))
    of_group[by_domain] = np.repeat(groups, groups)

    most = np.repeat(np.maximum.reduceat(newer, first), sizes)
    test = in_test | ((newer < num_last) & (most >= num_last))
    depth = newer - num_last
    deepest = np.clip(((of_group - num_last) * MOST_FOR_LEAST).astype(np.int64), 1, DEEPEST)
    validation = (depth >= 0) & (depth < deepest) & (most > num_last)
    # A user without another row has no test rows by this rule, and keeps all of them.
    kept = (newer >= num_last) | ((most < num_last) & ~in_test)
    kept_until = np.cumsum(kept)
    earlier_users: Array = np.repeat(kept_until[first] - kept[first], sizes)  # kept rows of the users before
    if timed:
        before = kept_until - kept - earlier_users
    else:
        before = np.repeat(np.add.reduceat(kept, first, dtype=np.int64), sizes)
    part = np.where(test, TEST, np.where(validation, VALIDATION, TRAIN))
    return part.astype(np.int8), before.astype(np.int32), np.where(validation, depth, 0).astype(np.int8)


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
    keys = split.model_dump(exclude={"validation", "validation_least", "validation_by"}, exclude_none=True)
    shown = "{" + ", ".join(f"{key}: {value}" for key, value in keys.items()) + "}"
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


def chosen(numbers: Array, share: float, salt: str = "") -> Array:
    """Whether each of the numbers (n,) belongs to a pseudo-random `share`, the same on every machine."""
    return draws(numbers, salt) < share


def draws(numbers: Array, salt: str = "") -> Array:
    """A pseudo-random number in [0, 1) for each of the numbers (n,), the same on every machine."""
    drawn: Array = md5_lower(arrow_numbers(numbers), salt).astype(np.float64) / 2.0**64
    return drawn
