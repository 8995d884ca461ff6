"""The log in numbers, written to disk: training and validation rows by (user, time), test rows by (domain, user)."""

from collections.abc import Callable, Mapping
from pathlib import Path

import ibis
import numpy as np
import numpy.typing as npt
from ibis import _

from adi.data.arrays import finite_numbers
from adi.data.coding import NUMBERS
from adi.engines.engine import Engine
from adi.engines.offsets import write_offsets
from adi.errors import AdiError
from adi.features.encoding import Encoding
from adi.features.kinds import KINDS
from adi.preparation.cleaning import Log, context_column
from adi.preparation.splitting import TEST, TRAIN, VALIDATION
from adi.schema import ContextFeature


def fit_context(
    engine: Engine, rows: ibis.Table, feature: ContextFeature, log: Log, vocabularies: Path, ignored: dict[str, int]
) -> Encoding:
    """Fit a context feature to the training rows of the log; `ignored` gets the number of values read as missing."""
    column = context_column(feature.name)
    kind, source = KINDS[feature.kind], f"{log.table}, column '{feature.source_column}'"
    trained = rows.filter((_.part == TRAIN) & rows[column].notnull()).select(value=rows[column])
    if trained.count().to_pyarrow().as_py() == 0:
        raise AdiError(f"{source}: every value is missing. Remove feature '{feature.name}', or mend the column.")
    encoding = kind.fit(engine, feature, trained, source, vocabularies)
    if count := kind.count_ignored(rows.select(value=rows[column])):
        ignored[feature.name] = count
    return encoding


def write_rows(
    engine: Engine,
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
    encoders = {context_column(name): encoding.in_memory.encode_column for name, encoding in context.items()}
    dtypes |= {context_column(name): np.int32 for name in context}
    numbers = {
        f"{context_column(name)}{NUMBERS}": rows[context_column(name)]
        for name, encoding in context.items()
        if encoding.takes_numbers
    }
    rows = rows.mutate(**numbers)
    dtypes |= dict.fromkeys(numbers, np.float64)
    encoders |= dict.fromkeys(numbers, finite_numbers)

    visible = rows.filter(_.part != TEST).mutate(held_out=(_.part == VALIDATION).cast("int8"))
    folder = out / "interactions"
    engine.write_columns(visible, folder, {**dtypes, "held_out": np.int8}, encoders=encoders, advance=advance)
    write_offsets(engine, visible, "user", num_users, folder / "user_offsets.npy")
    if timed:
        columns = {name: dtypes[name] for name in ("item", "domain", "time")}
        engine.write_columns(rows, out / "timeline", columns)
        write_offsets(engine, rows, "user", num_users, out / "timeline" / "user_offsets.npy")
    tested = engine.number("tested", rows.filter(_.part == TEST), ["domain", "user", "row"], "test")
    engine.write_columns(tested, out / "test", {**dtypes, "before": np.int32}, encoders=encoders, advance=advance)
    return tested.select("test", "user", "domain")
