"""The curves of a training for TensorBoard."""

import time
from collections.abc import Mapping
from pathlib import Path

from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter

from adi.errors import AdiError

FOLDER = "tensorboard"


class Board:
    """Appends scalars by epoch to an event file of its own, in the folder `tensorboard` of a run.

    torch's `SummaryWriter` writes in a thread, which a full disk ends in a traceback that hides the training's error.
    """

    def __init__(self, run: Path) -> None:
        self._path = run / FOLDER / f"events.out.tfevents.{time.time_ns()}"

    def add(self, scalars: Mapping[str, float], epoch: int) -> None:
        """Append the scalars of an epoch. Raises `AdiError` if they cannot be written (a full disk)."""
        values = [Summary.Value(tag=tag, simple_value=value) for tag, value in scalars.items()]
        events = [Event(wall_time=time.time(), step=epoch, summary=Summary(value=[value])) for value in values]
        try:
            if not self._path.exists():
                self._path.parent.mkdir(exist_ok=True)
                events.insert(0, Event(wall_time=time.time(), file_version="brain.Event:2"))
            with self._path.open("ab") as file:
                writer = RecordWriter(file)
                for event in events:
                    writer.write(event.SerializeToString())
        except OSError as error:
            raise AdiError(
                f"{self._path}: cannot be written ({error}). Free some space, then continue with --resume."
            ) from error
