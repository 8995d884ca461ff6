"""``log.jsonl``: one line per epoch of a training, with its loss, speed and validation."""

from pathlib import Path

from pydantic import ValidationError

from adi.data.folder import replace_text
from adi.errors import AdiError
from adi.runs.health import HealthWarning
from adi.runs.metrics import Measures
from adi.runs.record import Record
from adi.strict import describe

FILE = "log.jsonl"


class Validation(Record):
    """The measures on the validation rows after an epoch."""

    domains: dict[str, Measures]
    mean: Measures


class Epoch(Record):
    """A line of ``log.jsonl``.

    `step` counts from the start of the training, or of the refit; all other numbers are those of the epoch.
    `pseudo_positives` is None without self-training. The epochs of a `refit` come after those that were validated, and
    go on counting. `warnings` are those of the epoch, and in the first also those of the data.
    """

    epoch: int
    step: int
    seconds: float
    samples: int
    samples_per_second: float
    loss: float | None
    validation: Validation | None = None
    pseudo_positives: int | None = None
    refit: bool = False
    warnings: tuple[HealthWarning, ...] = ()


def read_epochs(folder: Path) -> tuple[Epoch, ...]:
    """Read the epochs of a run; empty for a fitted model. Raises `AdiError` naming the malformed line."""
    path = folder / FILE
    if not path.exists():
        return ()
    epochs = []
    for number, line in enumerate(path.read_bytes().splitlines(), 1):
        try:
            epochs.append(Epoch.model_validate_json(line))
        except ValidationError as error:
            raise AdiError(f"{path}, line {number}: {describe(error, Epoch)}. Train the run again.") from None
    return tuple(epochs)


def append_epoch(folder: Path, epoch: Epoch) -> None:
    """Append the line of an epoch; it replaces lines of that epoch and later ones, left by an interrupted training."""
    path = folder / FILE
    earlier = path.read_text(encoding="utf-8").splitlines()[: epoch.epoch - 1] if path.exists() else []
    replace_text(path, "\n".join([*earlier, epoch.model_dump_json(exclude_none=True)]))
