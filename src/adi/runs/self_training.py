"""``self_training.json``: the audit of self-training, with counts of pseudo-positives by pair of domains.

`adi.training.pseudo_audit` computes and defines the counts.
"""

from pathlib import Path

from pydantic import ConfigDict, Field, ValidationError

from adi.data.sealed import unsealed, write_sealed
from adi.errors import AdiError
from adi.runs.info import REMEDY
from adi.runs.record import Record
from adi.strict import describe

FILE = "self_training.json"


class Histogram(Record):
    """The scores of all pairs and of the accepted ones, counted in the bins between `edges`; empty without scores."""

    edges: tuple[float, ...]
    scored: tuple[int, ...]
    accepted: tuple[int, ...]


class DomainPair(Record):
    """Counts of the pairs from rows of the domain `source` that were considered for the domain `target`."""

    model_config = ConfigDict(populate_by_name=True)

    source: str = Field(alias="from")
    target: str = Field(alias="to")
    samples: int = 0
    eligible: int
    known: int = 0
    scored: int
    accepted: int
    checked: int
    precision: float | None
    base_rate: float | None
    score_histogram: Histogram


class Audit(Record):
    """The content of ``self_training.json``: `start_step` is the first of the `steps` with pseudo-positives."""

    start_step: int
    steps: int
    seconds: dict[str, float]
    pairs: tuple[DomainPair, ...]


def write_audit(folder: Path, audit: Audit) -> None:
    """Write or replace the audit of a run."""
    write_sealed(folder / FILE, audit.model_dump_json(indent=1, by_alias=True))


def read_audit(folder: Path) -> Audit | None:
    """Read the audit of a run; None without self-training. Raises `AdiError` for a malformed file."""
    path = folder / FILE
    try:
        return Audit.model_validate_json(unsealed(path.read_bytes(), path, REMEDY))
    except FileNotFoundError:
        return None
    except ValidationError as error:
        raise AdiError(f"{path}: {describe(error, Audit)}. {REMEDY}") from None
