"""The log in numbers, on disk: training and validation rows by (user, time), test rows by (domain, user)."""

from collections.abc import Callable, Mapping
from pathlib import Path

import ibis
import numpy as np
import numpy.typing as npt
import pyarrow as pa
from ibis import _

from adi.data.arrays import Array, write_columns
from adi.data.codes import bucket
from adi.data.manifest import FIRST_VALUE_ROW, FeatureInfo
from adi.errors import AdiError
from adi.preparation.cleaning import Log, context_column
from adi.preparation.encoding import ROWS_PER_BATCH, Encoder
from adi.preparation.splitting import TEST, TRAIN, VALIDATION
from adi.preparation.tables import shown
from adi.preparation.vocabulary import bucket_edges, hash_values, looked_up_in
from adi.schema import ContextFeature, NumericFeature

Encode = Callable[[pa.Array], Array]
"""From a column of values to their codes."""


def encode_context(
    rows: ibis.Table, feature: ContextFeature, encoder: Encoder, log: Log
) -> tuple[ibis.Table, FeatureInfo, Encode | None]:
    """How `write_rows` is to encode a context feature's column; None where that column of the result has the codes."""
    column = context_column(feature.name)
    place = f"{shown(log.files)}, column '{feature.source_column}'"
    trained = rows.filter((_.part == TRAIN) & rows[column].notnull()).select(value=rows[column])
    if trained.count().to_pyarrow().as_py() == 0:
        raise AdiError(f"{place}: every value is missing. Remove feature '{feature.name}', or mend the column.")
    if isinstance(feature, NumericFeature):
        edges = bucket_edges(trained, feature.buckets, feature.scale, place)
        encoder.count_ignored(feature.name, rows.select(value=rows[column]))
        size = len(edges) + 1 + FIRST_VALUE_ROW
        info = FeatureInfo(name=feature.name, side="context", kind="numeric", rows=size, edges=edges)
        in_buckets = bucket(edges)
        return rows, info, lambda values: in_buckets(values.to_numpy(zero_copy_only=False))
    encode = None
    if feature.hash_size is not None:
        rows, size = hash_values(rows, feature.hash_size, column, column), feature.hash_size + FIRST_VALUE_ROW
    else:
        vocabulary, size = encoder.vocabulary(feature.name, trained, feature.min_count)
        encode = looked_up_in(vocabulary.order_by("code").value.to_pyarrow())
    info = FeatureInfo(name=feature.name, side="context", kind="categorical", rows=size, hash_size=feature.hash_size)
    return rows, info, encode


def write_rows(
    rows: ibis.Table,
    context: Mapping[str, Encode | None],
    out: Path,
    num_users: int,
    timed: bool,
    advance: Callable[[int], None],
) -> ibis.Table:
    """Write ``interactions/`` and ``test/`` below `out`; returns the test rows as a table (test, user, domain).

    `rows` are in the order of users and time, as `assign_parts` leaves them; `context` maps each context feature to
    what `encode_context` found.

    Arrays: user, item, domain, time if the log is `timed`, and context_<name>; for interactions also `held_out` (1: a
    validation row), for the test `before`, the length of the row's history, see `assign_parts`.
    """
    dtypes: dict[str, npt.DTypeLike] = {"user": np.int32, "item": np.int32, "domain": np.int16}
    if timed:
        dtypes["time"] = np.int64 if rows.schema()["time"].is_integer() else np.float64
    encoders = {context_column(name): encode for name, encode in context.items() if encode is not None}
    dtypes |= {context_column(name): np.int32 for name in context}

    visible = rows.filter(_.part != TEST).mutate(held_out=(_.part == VALIDATION).cast("int8"))
    counts = np.zeros(num_users + 1, dtype=np.int64)
    for batch in visible.group_by("user").agg(rows=_.count()).to_pyarrow_batches():
        counts[batch["user"].to_numpy() + 1] = batch["rows"].to_numpy()
    offsets = np.cumsum(counts)
    columns = [*dtypes, "held_out"]
    ordered = visible.select(columns).to_pyarrow_batches(chunk_size=ROWS_PER_BATCH)
    write_columns(ordered, out / "interactions", int(offsets[-1]), {**dtypes, "held_out": np.int8}, encoders, advance)
    np.save(out / "interactions" / "user_offsets.npy", offsets)

    tested = rows.filter(_.part == TEST)
    length = int(tested.count().to_pyarrow().as_py())
    order = ["domain", "user", "row"]
    ordered = tested.order_by(order).select([*dtypes, "before"]).to_pyarrow_batches(chunk_size=ROWS_PER_BATCH)
    write_columns(ordered, out / "test", length, {**dtypes, "before": np.int32}, encoders, advance)
    numbered = tested.mutate(test=ibis.row_number().over(ibis.window(order_by=order)))
    return numbered.select("test", "user", "domain")
