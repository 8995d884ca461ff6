"""A tuning in MLflow: a run of the study, and in it a run of each trial."""

from pathlib import Path
from typing import TYPE_CHECKING

from adi.tracking.mlflow_run import MlflowRun
from adi.tracking.runs import keep_id
from adi.tuning.study import Study

if TYPE_CHECKING:
    from adi.tuning.trial import Observer


class TrackedTuning:
    """An observer of a tuning (`adi.tuning.trial.Observer`) that logs its trials, and passes all on to another."""

    def __init__(self, run: MlflowRun, folder: Path, observer: "Observer | None") -> None:
        self.run, self.folder, self.observer = run, folder, observer

    def step(self, *, trial: int, epoch: int, step: int, steps: int) -> None:
        if self.observer is not None:
            self.observer.step(trial=trial, epoch=epoch, step=step, steps=steps)

    def finished(self, study: Study) -> None:
        trial = study.trials[-1]
        self.run.metrics({study.objective: study.value(trial)}, trial.number)
        keep_id(self.run, self.folder)
        nested = self.run.nested(f"trial {trial.number}")
        nested.parameters({"model": study.model, **trial.settings})
        for epoch, recalls in enumerate(trial.validations, 1):
            nested.metrics({f"validation/recall@{study.k}/{domain}": value for domain, value in recalls.items()}, epoch)
        nested.metrics({study.objective: study.value(trial), "seconds": trial.seconds})
        nested.end("FAILED" if trial.state == "failed" else "FINISHED")
        if self.observer is not None:
            self.observer.finished(study)
