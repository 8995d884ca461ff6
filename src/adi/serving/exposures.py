"""The exposure log: Parquet files with a row for each list that was served to a user in a domain.

Requests leave their rows in memory. A thread writes them, one file at a time and under a hidden name until the file is
complete, so that readers of `*.parquet` never see half a file.
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
from adi.errors import ArgumentError
from adi.serving.experiment import Experiment, assignment_of
from adi.serving.metrics import Metrics
from adi.serving.requests import RetrieveCall

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

ROWS_PER_BATCH = 100
"""Rows converted to Arrow at once, which keeps other threads waiting."""


class Exposure(NamedTuple):
    """A served list: a row in the order of `SCHEMA`.

    `experiment`, `arm` and `assignment` (`adi.serving.experiment.Assignment`) are null without an experiment. `place`
    is the position of the request in its body, from 0; `k`, `filter` and `bid_weight` are the request's.
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


def exposures_of(
    call: RetrieveCall, results: Sequence[Mapping[str, Any]], experiment: Experiment | None
) -> list[Exposure]:
    """The rows of a call that is answered now, without those of previews."""
    now, name = datetime.now(UTC), None if experiment is None else experiment.name
    return [
        Exposure(
            time=now,
            user=request.user,
            experiment=name,
            arm=result["arm"],
            assignment=None if experiment is None else assignment_of(request.user, call.arm),
            version=result["version"],
            place=place,
            domain=domain,
            k=request.k,
            filter=request.filter,
            bid_weight=request.bid_weight,
            items=ranked["items"],
            scores=ranked["scores"],
        )
        for place, (request, result) in enumerate(zip(call.requests, results, strict=True))
        if not request.preview
        for domain, ranked in result["domains"].items()
    ]


class ExposureLog:
    """A context manager that writes exposures to a folder in a thread of its own, and the rest on exit.

    The thread writes a file when the waiting rows have `items` items, and every `seconds`. After a failure the rows
    wait for the next try. At most twice `items` wait; further rows are dropped and counted, so that a full disk costs
    exposures and no answers. Several servers may write to one folder.

    Args:
        report: called with a message when writing begins to fail, and when it works again.

    Raises `ArgumentError` for a folder that cannot be created or written to.
    """

    def __init__(
        self,
        folder: Path,
        metrics: Metrics,
        report: Callable[[str], None],
        *,
        items: int = 500_000,
        seconds: float = 60.0,
    ) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with TemporaryFile(dir=folder):
                pass
        except OSError as error:
            raise ArgumentError(
                "exposures", f"{folder}: cannot be written ({error.strerror}). Give another folder."
            ) from None
        self.folder, self.metrics, self.report, self.items, self.seconds = folder, metrics, report, items, seconds
        self._rows: list[Exposure] = []
        self._size = 0  # of the rows that no file has yet
        self._failing = self._ended = False
        self._changed = Condition()  # held to add or take rows, never while writing
        self._thread = Thread(target=self._run, name="adi-exposures", daemon=True)

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
            self.report(f"{self.folder}: {len(self._rows):,} exposures are lost.")

    def add(self, rows: Sequence[Exposure]) -> None:
        """Queue rows for writing, or drop and count them if too many wait; returns at once."""
        size = _size(rows)
        with self._changed:
            accepted = not self._ended and self._size + size <= 2 * self.items
            if accepted:
                self._rows += rows
                self._size += size
                if self._is_due():
                    self._changed.notify()
        if not accepted:
            self.metrics.exposures_dropped.inc(len(rows))

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(self._is_due, self.seconds)
                if self._ended:
                    return
            self._write()

    def _is_due(self) -> bool:
        return self._ended or (self._size >= self.items and not self._failing)

    def _write(self) -> None:
        """Write the waiting rows to a new file; on failure they keep waiting."""
        with self._changed:
            rows, self._rows = self._rows, []
        if not rows:
            return
        failed_before, self._failing = self._failing, False
        try:
            name = f"{rows[0].time:%Y%m%dT%H%M%S}-{uuid4().hex[:12]}.parquet"
            replace_file(self.folder / name, _as_parquet(rows), mode=0o600)
        except OSError as error:
            self._failing = True
            with self._changed:
                self._rows[:0] = rows
            self.metrics.exposures_failed.inc()
            if not failed_before:
                self.report(
                    f"{self.folder}: cannot write exposures ({error.strerror or error}). They are kept for now."
                )
            return
        with self._changed:
            self._size -= _size(rows)
        self.metrics.exposures_written.inc(len(rows))
        if failed_before:
            self.report(f"{self.folder}: writes exposures again.")


def _size(rows: Sequence[Exposure]) -> int:
    """Size of rows in memory: their items, plus one for each row."""
    return sum(1 + len(row.items) for row in rows)


def _as_parquet(rows: Sequence[Exposure]) -> bytes:
    batches = []
    for start in range(0, len(rows), ROWS_PER_BATCH):
        columns = zip(SCHEMA, zip(*rows[start : start + ROWS_PER_BATCH], strict=True), strict=True)
        batches.append(pa.record_batch([pa.array(values, field.type) for field, values in columns], schema=SCHEMA))
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_batches(batches), sink, compression="zstd")
    content: bytes = sink.getvalue().to_pybytes()
    return content
