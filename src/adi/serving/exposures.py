"""The log of what was served: a row for each list, of one user in one domain, in Parquet files of one folder.

A request leaves its rows in memory and goes on. A thread writes them, a whole file at a time, under a hidden name that
is then changed, so that a reader of `*.parquet` never sees half a file.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryFile
from threading import Condition, Thread
from typing import Any, NamedTuple
from uuid import uuid4

import pyarrow as pa
import pyarrow.parquet as pq

from adi.data.folder import replace_file
from adi.errors import AdiError
from adi.serving.experiment import Experiment, assignment_of
from adi.serving.messages import Body
from adi.serving.metrics import Metrics

SCHEMA = pa.schema(
    [
        ("time", pa.timestamp("us", tz="UTC")),
        ("user", pa.string()),
        ("experiment", pa.string()),
        ("arm", pa.string()),
        ("assignment", pa.string()),
        ("version", pa.string()),
        ("place", pa.int32()),
        ("domain", pa.string()),
        ("k", pa.int32()),
        ("filter", pa.string()),
        ("bid_weight", pa.float64()),
        ("items", pa.list_(pa.string())),
        ("scores", pa.list_(pa.float32())),
    ]
)

AT_ONCE = 100
"""Rows that are made Arrow's at once: so long, no request can run."""


class Exposure(NamedTuple):
    """A list as it was served: a row, in the order of `SCHEMA`.

    `assignment` says what chose the arm (`adi.serving.experiment.Assignment`); it is null, like `experiment` and `arm`,
    where no experiment is served. `place` is that of the request in its body, from 0, and `k`, `filter`
    and `bid_weight` are what it asked for.
    """

    time: datetime
    user: str | None
    experiment: str | None
    arm: str | None
    assignment: str | None
    version: str
    place: int
    domain: str
    k: int
    filter: str | None
    bid_weight: float
    items: Sequence[str]
    scores: Sequence[float]


def exposures_of(body: Body, results: Sequence[Mapping[str, Any]], experiment: Experiment | None) -> list[Exposure]:
    """The rows of requests that were answered now with `results`, but for previews."""
    now, name = datetime.now(UTC), None if experiment is None else experiment.name
    return [
        Exposure(
            time=now,
            user=ask.user,
            experiment=name,
            arm=result["arm"],
            assignment=None if experiment is None else assignment_of(ask.user, body.named),
            version=result["version"],
            place=place,
            domain=domain,
            k=ask.k,
            filter=ask.filter,
            bid_weight=ask.bid_weight,
            items=answer["items"],
            scores=answer["scores"],
        )
        for place, (ask, result) in enumerate(zip(body.asks, results, strict=True))
        if not ask.preview
        for domain, answer in result["domains"].items()
    ]


class ExposureLog:
    """Writes exposures to a folder, in a thread that runs while the log is entered; what is left is written at its end.

    A file is begun when rows have `items` items, or after `seconds` if there is any row. Where the folder cannot be
    written, rows wait for the next time, up to twice `items`, and those that find no room are dropped and counted: a
    full disk costs exposures, and no answers. Several servers may write to one folder.

    Args:
        tell: told in words when the folder cannot be written, once, and when it can again.

    Raises `AdiError` for a folder that cannot be made, or written to.
    """

    def __init__(
        self,
        folder: Path,
        metrics: Metrics,
        tell: Callable[[str], None],
        *,
        items: int = 500_000,
        seconds: float = 60.0,
    ) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with TemporaryFile(dir=folder):
                pass
        except OSError as error:
            raise AdiError(
                f"--exposures: {folder}: cannot be written ({error.strerror}). Give another folder."
            ) from None
        self.folder, self.metrics, self.tell, self.items, self.seconds = folder, metrics, tell, items, seconds
        self._rows: list[Exposure] = []
        self._size = 0  # of rows that are in no file yet
        self._failing = self._ended = False
        self._changed = Condition()  # held to add or take rows, never to write them
        self._thread = Thread(target=self._write_on, name="adi-exposures", daemon=True)

    def __enter__(self) -> "ExposureLog":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self._ended = True
            self._changed.notify()
        self._thread.join()
        self._write()
        if self._rows:
            self.metrics.exposures_dropped.inc(len(self._rows))
            self.tell(f"{self.folder}: {len(self._rows):,} exposures are lost.")

    def add(self, rows: Sequence[Exposure]) -> None:
        """Take rows to be written, or drop and count them where too many wait; returns at once."""
        size = _size(rows)
        with self._changed:
            taken = not self._ended and self._size + size <= 2 * self.items
            if taken:
                self._rows += rows
                self._size += size
                if self._is_due():
                    self._changed.notify()
        if not taken:
            self.metrics.exposures_dropped.inc(len(rows))

    def _write_on(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(self._is_due, self.seconds)
                if self._ended:
                    return
            self._write()

    def _is_due(self) -> bool:
        return self._ended or (self._size >= self.items and not self._failing)

    def _write(self) -> None:
        """Write what waits to a file of its own, or leave it waiting."""
        with self._changed:
            rows, self._rows = self._rows, []
        if not rows:
            return
        failed, self._failing = self._failing, False
        try:
            name = f"{rows[0].time:%Y%m%dT%H%M%S}-{uuid4().hex[:12]}.parquet"
            replace_file(self.folder / name, _as_parquet(rows))
        except OSError as error:
            self._failing = True
            with self._changed:
                self._rows[:0] = rows
            self.metrics.exposures_failed.inc()
            if not failed:
                self.tell(
                    f"{self.folder}: exposures cannot be written ({error.strerror or error}). They wait for a next try."
                )
            return
        with self._changed:
            self._size -= _size(rows)
        self.metrics.exposures_written.inc(len(rows))
        if failed:
            self.tell(f"{self.folder}: exposures are written again.")


def _size(rows: Sequence[Exposure]) -> int:
    """Of rows in memory: their items, of which a row may have one or a thousand, and one for the row."""
    return sum(1 + len(row.items) for row in rows)


def _as_parquet(rows: Sequence[Exposure]) -> bytes:
    pieces = []
    for start in range(0, len(rows), AT_ONCE):
        columns = zip(SCHEMA, zip(*rows[start : start + AT_ONCE], strict=True), strict=True)
        pieces.append(pa.record_batch([pa.array(values, field.type) for field, values in columns], schema=SCHEMA))
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_batches(pieces), sink, compression="zstd")
    content: bytes = sink.getvalue().to_pybytes()
    return content
