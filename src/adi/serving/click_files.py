"""Clicks from a folder of Parquet files, to which new files are added."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from adi.errors import ArgumentError
from adi.schema import ContextFeature, Schema
from adi.serving.events import StoredClick


class ClickFiles:
    """The clicks of a folder's files ``*.parquet``, each read once, in the order of their names.

    Files have the columns of the log, as the schema names them; those of context features may be missing. Write a file
    under another name and rename it, so that no half of it is read.

    Args:
        schema: of the bundle's data.
        report: called with a message about a file that cannot be read, which is left out.

    Raises `ArgumentError` if there is no such folder.
    """

    def __init__(self, folder: Path, schema: Schema, report: Callable[[str], None]) -> None:
        if not folder.is_dir():
            raise ArgumentError("clicks", f"{folder}: no such folder. Create it, and write clicks into it.")
        self.folder, self.report = folder, report
        log = schema.interactions
        self._columns = [log.user, log.item, schema.domains.column, log.time or ""]
        self._context = schema.features.context
        self._read: set[str] = set()

    def read(self) -> Sequence[StoredClick]:
        """See `adi.serving.click_feed.ClickSource.read`; the clicks of one file."""
        for path in sorted(self.folder.glob("*.parquet")):
            if path.name in self._read or path.name.startswith("."):
                continue
            self._read.add(path.name)
            try:
                clicks = self._clicks(path)
            except (OSError, pa.ArrowException, KeyError) as error:
                self.report(f"{path}: left out, since it cannot be read ({error}). Write it again under another name.")
                continue
            if clicks:
                return clicks
        return []

    def _clicks(self, path: Path) -> list[StoredClick]:
        """The rows of a file in which no column but those of the context is null."""
        stored = pq.read_schema(path).names
        features = [feature for feature in self._context if feature.source_column in stored]
        sources = [feature.source_column for feature in features]
        table = pq.read_table(path, columns=list(dict.fromkeys([*self._columns, *sources])))
        *ids, times = (table[name] for name in self._columns)
        if pa.types.is_timestamp(times.type) or pa.types.is_date(times.type):
            times = times.cast(pa.timestamp("us")).cast(pa.int64())
        texts = {feature.name: _texts(table[feature.source_column], feature) for feature in features}
        columns = [*(pc.cast(column, pa.string()) for column in ids), times.cast(pa.float64()), np.arange(len(table))]
        clicks = pa.table(columns, list("uidtn")).drop_null().to_pydict().values()
        return [
            StoredClick(
                path.name,
                user,
                item,
                domain,
                time,
                {name: text for name, column in texts.items() if (text := column[number])},
            )
            for user, item, domain, time, number in zip(*clicks, strict=True)
        ]


def _texts(column: pa.ChunkedArray, feature: ContextFeature) -> list[str | None]:
    """The values of a column as text, in the form in which `adi prepare` reads them."""
    if pa.types.is_boolean(column.type) and feature.kind == "numeric":
        column = column.cast(pa.int8())
    if pa.types.is_floating(column.type):
        return [None if value is None else str(value) for value in column.to_pylist()]
    texts: list[str | None] = pc.cast(column, pa.string()).to_pylist()
    return texts
