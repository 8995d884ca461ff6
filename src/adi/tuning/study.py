"""A study: the definition of a tuning, its finished trials, and the folder that holds them.

study.json    the definition and the trials; rewritten after each trial, so that a killed tuning loses only that trial
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

from adi.data.folder import is_free, replace_text
from adi.errors import AdiError, differences
from adi.frames import html_of
from adi.runs.info import ModelSource
from adi.strict import Strict, describe
from adi.tuning.objective import Objective, Recalls, value_of
from adi.tuning.space import Config, Space, as_mapping, changed, sections

FORMAT = 1


class Trial(Strict):
    """One training or fit with the given values of the searched settings; trial 0 has the base settings.

    `validations` has an entry for each epoch: the recall by domain of the best epoch so far, whose weights a training
    would keep.
    """

    number: int
    state: Literal["complete", "pruned", "failed"]
    settings: dict[str, Any]
    validations: tuple[dict[str, float | None], ...]
    seconds: float
    reason: str | None = None


class Study(Strict):
    """The content of ``study.json``.

    `config` are the base settings, and `queries` the numbers of validation rows that are ranked in each domain.
    """

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
        """The values of the searched settings in the base settings."""
        section_of = sections(self.config)
        return {name: self.config[section_of[name]][name] for name in self.space}

    def objectives(self, validations: Sequence[Recalls]) -> list[float]:
        """The objective after each epoch."""
        base = self.trials[0].validations if self.trials else validations
        return [value_of(self.objective, recalls, base[-1]) for recalls in validations]

    def value(self, trial: Trial) -> float | None:
        """The last value of a trial's objective, also for a pruned trial; None for a failed one."""
        return None if trial.state == "failed" else self.objectives(trial.validations)[-1]

    def ranked(self) -> list[Trial]:
        """The complete trials from best to worst; ties in the order of the trials."""
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


def open_study(out: Path, requested: Study) -> Study:
    """Open the study in a folder, which must have the definition of `requested`; for an empty folder, `requested`.

    Raises `AdiError` for a folder with other content, and for a study with another definition.
    """
    path = out / "study.json"
    if not path.exists():
        if not is_free(out):
            raise AdiError(f"{out}: exists, is not empty and holds no study. Choose another folder.")
        out.mkdir(parents=True, exist_ok=True)
        return requested
    try:
        study = Study.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise AdiError(f"{path}: not a study that this adi wrote: {describe(error, Study)}") from None
    if different := differences(_definition(study), _definition(requested)):
        raise AdiError(f"{out}: cannot continue with another {different}. Give the same, or tune into another folder.")
    return study


def _definition(study: Study) -> dict[str, Any]:
    """Everything that must be equal for trials to be comparable, by its name in messages."""
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
    """Write the study, and the table of its trials and the best settings derived from it."""
    replace_text(out / "study.json", study.model_dump_json(indent=1))
    replace_text(out / "trials.csv", _table(study))
    for best in study.ranked()[:1]:
        head = f"# {study.model}, the best of {len(study.trials)} trials of adi tune: trial {best.number}"
        text = yaml.safe_dump(study.config_of(best), sort_keys=False).rstrip()
        replace_text(out / "best.yaml", f"{head}\n{text}")


def _table(study: Study) -> str:
    """The text of ``trials.csv``."""
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
