"""Baselines beside a trained model, on validation rows: ``baselines.json`` in a run's folder."""

from pathlib import Path

from pydantic import ValidationError

from adi.data.sealed import unsealed, write_sealed
from adi.errors import AdiError
from adi.runs.info import REMEDY
from adi.runs.record import Record
from adi.strict import describe

FILE = "baselines.json"

SIGNIFICANT = 1.96
"""Standard errors above 0 of a significant difference."""


class DomainBaselines(Record):
    """A domain: its validation `rows`, the recall of the `model` and of each baseline.

    `ahead` are the baselines whose recall is significantly above the model's, `behind` those significantly below.
    """

    rows: int
    model: float
    baselines: dict[str, float]
    ahead: tuple[str, ...]
    behind: tuple[str, ...]

    @property
    def best(self) -> str:
        """The baseline with the highest recall."""
        return max(self.baselines, key=lambda name: self.baselines[name])


class Baselines(Record):
    """The recall at `k` of a `model` and of baselines on the validation rows, by each domain that has any.

    All are trained on the same rows. The model's epoch was chosen on the validation rows, the baselines had no choice.
    A blend is compared with weights that were chosen on the rows of other users (`adi.training.blend`).
    """

    model: str
    k: int
    domains: dict[str, DomainBaselines]

    def sentences(self) -> list[str]:
        """The comparison in words: where the model is ahead of every baseline, level with the best, or behind one."""
        ahead: list[str] = []
        level: list[str] = []
        behind: list[str] = []
        for name, domain in self.domains.items():
            numbers = f"{name} ({domain.model:.3f}, {domain.best} {domain.baselines[domain.best]:.3f})"
            if domain.ahead:
                behind.append(numbers)
            else:
                (ahead if domain.best in domain.behind else level).append(numbers)
        title = f"Validation recall@{self.k} beside {_listed(self._names())}:"
        lines = [f"  significantly ahead of all: {', '.join(ahead)}"] if ahead else []
        lines += [f"  no significant difference to the best: {', '.join(level)}"] if level else []
        lines += [f"  significantly BEHIND: {', '.join(behind)}"] if behind else []
        if behind:
            remedy = "take the baseline's lists (adi retrieve-all), or tune the model (adi tune)"
            lines.append(f"There {self.model} is no gain: {remedy}.")
        return [title, *lines] if self.domains else []

    def _names(self) -> list[str]:
        return list(dict.fromkeys(name for domain in self.domains.values() for name in domain.baselines))


def write_baselines(folder: Path, baselines: Baselines) -> None:
    """Write or replace the baselines of a run."""
    write_sealed(folder / FILE, baselines.model_dump_json(indent=1))


def read_baselines(folder: Path) -> Baselines | None:
    """The baselines of a run; None for a run without. Raises `AdiError` for a malformed file."""
    path = folder / FILE
    if not path.exists():
        return None
    try:
        return Baselines.model_validate_json(unsealed(path.read_bytes(), path, REMEDY))
    except ValidationError as error:
        raise AdiError(f"{path}: {describe(error, Baselines)}. {REMEDY}") from None


def significantly(better: int, worse: int) -> bool:
    """Whether one model is better at significantly more queries than it is worse at (McNemar's test)."""
    return better > worse and (better - worse) ** 2 > SIGNIFICANT**2 * (better + worse)


def _listed(names: list[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last
