"""The log in numbers, written to disk: training and validation rows by (user, time), test rows by (domain, user)."""

from collections.abc import Callable, Mapping
from pathlib import Path

import ibis
import numpy as np
import numpy.typing as npt
from ibis import _

from adi.data.arrays import ROWS_PER_BATCH, write_columns
from adi.data.coding import NUMBERS
from adi.errors import AdiError
from adi.features.encoding import Encoding
from adi.features.kinds import KINDS
from adi.preparation.cleaning import Log, context_column
from adi.preparation.splitting import TEST, TRAIN, VALIDATION
from adi.schema import ContextFeature


def fit_context(
    rows: ibis.Table, feature: ContextFeature, log: Log, vocabularies: Path, ignored: dict[str, int]
) -> Encoding:
    """Fit a context feature to the training rows of the log; `ignored` gets the number of values read as missing."""
    column = context_column(feature.name)
    kind, source = KINDS[feature.kind], f"{log.table}, column '{feature.source_column}'"
    trained = rows.filter((_.part == TRAIN) & rows[column].notnull()).select(value=rows[column])
    if trained.count().to_pyarrow().as_py() == 0:
        raise AdiError(f"{source}: every value is missing. Remove feature '{feature.name}', or mend the column.")
    encoding = kind.fit(feature, trained, source, vocabularies)
    if count := kind.ignored(rows.select(value=rows[column])):
        ignored[feature.name] = count
    return encoding


def write_rows(
    rows: ibis.Table,
    context: Mapping[str, Encoding],
    out: Path,
    num_users: int,
    timed: bool,
    advance: Callable[[int], None],
) -> ibis.Table:
    """Write ``interactions/`` and ``test/`` below `out`; returns the test rows as a table (test, user, domain).

    `rows` are in the order of users and time, as `assign_parts` leaves them; `context` has the encoding of each context
    feature, by name.

    The arrays are user, item, domain, time if the log is `timed`, and context_<name>; those of interactions also
    `held_out` (1 for a validation row), those of the test `before`, the length of the row's history. The numbers of a
    numeric context feature are written beside its codes. `advance` is called with the number of rows of each batch.
    """
    dtypes: dict[str, npt.DTypeLike] = {"user": np.int32, "item": np.int32, "domain": np.int16}
    if timed:
        dtypes["time"] = np.int64 if rows.schema()["time"].is_integer() else np.float64
    encoders = {context_column(name): encoding.encode_column for name, encoding in context.items()}
    dtypes |= {context_column(name): np.int32 for name in context}
    numbers = {
        f"{context_column(name)}{NUMBERS}": rows[context_column(name)]
        for name, encoding in context.items()
        if encoding.takes_numbers
    }
    rows = rows.mutate(**numbers)
    dtypes |= dict.fromkeys(numbers, np.float64)

    visible = rows.filter(_.part != TEST).mutate(held_out=(_.part == VALIDATION).cast("int8"))
    counts = np.zeros(num_users + 1, dtype=np.int64)
    for batch in visible.group_by("user").agg(rows=_.count()).to_pyarrow_batches():
        counts[batch["user"].to_numpy() + 1] = batch["rows"].to_numpy()
    offsets = np.cumsum(counts)
    columns = [*dtypes, "held_out"]
    ordered = visible.select(columns).to_pyarrow_batches(chunk_size=ROWS_PER_BATCH)
    write_columns(ordered, out / "interactions", int(offsets[-1]), {**dtypes, "held_out": np.int8}, encoders, advance)
    np.save(out / "interactions" / "user_offsets.npy", offsets)

    if timed:
        _write_timeline(rows, out / "timeline", num_users, dtypes)
    tested = rows.filter(_.part == TEST)
    length = int(tested.count().to_pyarrow().as_py())
    order = ["domain", "user", "row"]
    ordered = tested.order_by(order).select([*dtypes, "before"]).to_pyarrow_batches(chunk_size=ROWS_PER_BATCH)
    write_columns(ordered, out / "test", length, {**dtypes, "before": np.int32}, encoders, advance)
    numbered = tested.mutate(test=ibis.row_number().over(ibis.window(order_by=order)))
    return numbered.select("test", "user", "domain")


def _write_timeline(rows: ibis.Table, folder: Path, num_users: int, dtypes: Mapping[str, npt.DTypeLike]) -> None:
    """Write item, domain and time of the rows of all parts by user and time, and the slice of each user's."""
    counts = np.zeros(num_users + 1, dtype=np.int64)
    for batch in rows.group_by("user").agg(rows=_.count()).to_pyarrow_batches():
        counts[batch["user"].to_numpy() + 1] = batch["rows"].to_numpy()
    offsets = np.cumsum(counts)
    columns = {name: dtypes[name] for name in ("item", "domain", "time")}
    ordered = rows.select(list(columns)).to_pyarrow_batches(chunk_size=ROWS_PER_BATCH)
    write_columns(ordered, folder, int(offsets[-1]), columns)
    np.save(folder / "user_offsets.npy", offsets)
