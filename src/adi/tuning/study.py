"""A study: what a tuning was asked to do and the trials that are done; the folder that holds it.

study.json    both; rewritten whole after each trial, so that a tuning that is killed loses the trial under way alone
trials.csv    a row for each trial
best.yaml     all settings of the best trial, for `adi train --config`
"""

import csv
import io
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import yaml
from pydantic import Field, ValidationError

from adi.data.folder import replace_text
from adi.errors import AdiError
from adi.frames import html_of
from adi.runs.info import ModelSource
from adi.schema import Strict, describe
from adi.tuning.objective import Objective, Recalls, value_of
from adi.tuning.space import Config, Space, as_mapping, changed, sections

FORMAT = 1

SHOWN = 3
"""Differences that a refusal names."""


class Trial(Strict):
    """One training, or one fit, with the searched settings at `settings`; trial 0 has the base settings.

    `validations` has, after each epoch, the recall by domain of what training would keep until then: of its best epoch.
    """

    number: int
    state: Literal["complete", "pruned", "failed"]
    settings: dict[str, Any]
    validations: tuple[dict[str, float | None], ...]
    seconds: float
    reason: str | None = None


class Study(Strict):
    """``study.json``. `config` are the base settings, `queries` the validation rows of each domain that are ranked."""

    format: int = FORMAT
    version: str = Field(default_factory=lambda: version("adi-retrieval"))
    model: str
    source: ModelSource | None = None
    fingerprint: str
    objective: Objective
    k: int
    seed: int
    config: Config
    space: Space
    queries: dict[str, int]
    trials: tuple[Trial, ...] = ()

    @property
    def base(self) -> dict[str, Any]:
        """The searched settings as the base settings have them."""
        places = sections(self.config)
        return {name: self.config[places[name]][name] for name in self.space}

    def objectives(self, validations: Sequence[Recalls]) -> list[float]:
        """The objective after each epoch."""
        base = self.trials[0].validations if self.trials else validations
        return [value_of(self.objective, recalls, base[-1]) for recalls in validations]

    def value(self, trial: Trial) -> float | None:
        """The objective of a trial, as far as it came where it was pruned; None for one that failed."""
        return None if trial.state == "failed" else self.objectives(trial.validations)[-1]

    def ranked(self) -> list[Trial]:
        """The complete trials, best first; of equal ones the earlier."""
        complete = [trial for trial in self.trials if trial.state == "complete"]
        return sorted(complete, key=lambda trial: -self.objectives(trial.validations)[-1])

    def to_frame(self) -> pa.Table:
        """A row for each trial: its number, state, objective, seconds and the searched settings."""
        rows = []
        for trial in self.trials:
            row = {"trial": trial.number, "state": trial.state, self.objective: self.value(trial)}
            settings = {
                n: str(value) if isinstance(value, list | tuple) else value for n, value in trial.settings.items()
            }
            rows.append({**row, "seconds": trial.seconds, **settings})
        return pa.Table.from_pylist(rows)

    def __repr__(self) -> str:
        ranked = self.ranked()
        best = f", best trial {ranked[0].number} with {self.objective} {self.value(ranked[0]):.4f}" if ranked else ""
        return f"<Study of {self.model}: {len(self.trials)} trials{best}>"

    def __str__(self) -> str:
        return repr(self)

    def _repr_html_(self) -> str:
        """A table for notebooks."""
        return html_of(self.to_frame())

    def config_of(self, trial: Trial) -> Config:
        """All settings of a trial."""
        return changed(self.config, trial.settings)


def open_study(out: Path, asked: Study) -> Study:
    """The study of a folder, which must be `asked` as far as it is done; `asked` itself for a folder yet empty.

    Raises `AdiError` for a folder with something else in it, and for a study that was asked to do another thing.
    """
    path = out / "study.json"
    if not path.exists():
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise AdiError(f"{out}: exists, is not empty and holds no study. Choose another place with --out.")
        out.mkdir(parents=True, exist_ok=True)
        return asked
    try:
        study = Study.model_validate_json(path.read_text(encoding="utf-8"))
    except ValidationError as error:
        raise AdiError(f"{path}: not a study that this adi wrote: {describe(error, Study)}") from None
    before, now = _terms(study), _terms(asked)
    differences = [
        f"{name} (started with {before.get(name, 'none')}, now {now.get(name, 'none')})"
        for name in {**before, **now}
        if before.get(name) != now.get(name)
    ]
    if differences:
        more = f" and {len(differences) - SHOWN} more" if len(differences) > SHOWN else ""
        raise AdiError(
            f"{out}: cannot go on with another {', '.join(differences[:SHOWN])}{more}. "
            "Give the same, or tune into another folder."
        )
    return study


def _terms(study: Study) -> dict[str, Any]:
    """All that makes the trials of a study comparable, in the words of a message."""
    return {
        "version of adi": study.version,
        "model": study.model,
        "source code of the model": study.source and study.source.digest,
        "dataset": study.fingerprint,
        "objective": study.objective,
        "k": study.k,
        "seed": study.seed,
        **{
            f"base setting {section}.{name}": value
            for section, values in study.config.items()
            for name, value in values.items()
        },
        **{f"search space of {name}": values for name, values in as_mapping(study.space).items()},
    }


def write_study(out: Path, study: Study) -> None:
    """Write the study and, drawn from it, the table of trials and the best settings."""
    replace_text(out / "study.json", study.model_dump_json(indent=1))
    replace_text(out / "trials.csv", _table(study))
    for best in study.ranked()[:1]:
        head = f"# {study.model}, the best of {len(study.trials)} trials of adi tune: trial {best.number}"
        text = yaml.safe_dump(study.config_of(best), sort_keys=False).rstrip()
        replace_text(out / "best.yaml", f"{head}\n{text}")


def _table(study: Study) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    recalls = [f"recall@{study.k}/{name}" for name in study.queries]
    writer.writerow(["trial", "state", study.objective, *recalls, "epochs", "seconds", *study.space])
    for trial in study.trials:
        last = trial.validations[-1] if trial.validations else {}
        epochs = len(trial.validations) if "training" in study.config else None
        writer.writerow(
            [
                trial.number,
                trial.state,
                study.value(trial),
                *(last.get(name) for name in study.queries),
                epochs,
                round(trial.seconds, 1),
                *(trial.settings[name] for name in study.space),
            ]
        )
    return text.getvalue().rstrip("\n")
