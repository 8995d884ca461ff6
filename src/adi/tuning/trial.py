"""One trial of a study: a training, or a fit, with the settings that the search proposes, judged on validation rows."""

import shutil
import time
from pathlib import Path
from typing import Literal, Protocol

from adi.data.dataset import Dataset
from adi.errors import AdiError, DivergedError
from adi.evaluation.evaluate import evaluate
from adi.models.model import FittedModel, Model
from adi.runs.metrics import Metrics
from adi.training.settings import TrainingSettings, settings_for
from adi.training.train import train
from adi.tuning.search import is_behind, next_settings
from adi.tuning.space import Config, changed
from adi.tuning.study import Study, Trial


class Observer(Protocol):
    """Is told how the tuning goes, such as by a progress bar."""

    def step(self, *, trial: int, epoch: int, step: int, steps: int) -> None: ...
    def finished(self, study: Study) -> None: ...


class PrunedError(Exception):
    """Ends the training of a trial that is behind."""


class UnusableError(Exception):
    """Settings that contradict each other, that a model cannot be fitted with, or with which a training diverges."""


def run_trial(
    study: Study, model: Model, prepared: Path, run: Path, observer: Observer | None, *, device: str
) -> Trial:
    """Run the next trial of a study; `run` is the folder of its training, and is gone afterwards.

    A fault of the trial's settings is noted in it. Raises `AdiError` for one of the base settings, and for any other.
    """
    number, started = len(study.trials), time.monotonic()
    settings = next_settings(study) if number else study.base
    config = changed(study.config, settings)
    watch = Watch(study, config, observer)
    state: Literal["complete", "pruned", "failed"] = "complete"
    reason = None
    try:
        _validate(study, model, config, prepared, run, watch, device)
    except PrunedError:
        state = "pruned"
    except UnusableError as fault:
        if number == 0:
            raise AdiError(f"trial 0, the base settings: {fault}") from None
        state, reason = "failed", str(fault)
    finally:
        shutil.rmtree(run, ignore_errors=True)
    return Trial(
        number=number,
        state=state,
        settings=settings,
        validations=tuple(watch.validations),
        seconds=time.monotonic() - started,
        reason=reason,
    )


class Watch:
    """Told by a training of its epochs, notes what it would keep after each and ends it where it is behind."""

    def __init__(self, study: Study, config: Config, observer: Observer | None) -> None:
        self.study, self.observer = study, observer
        self.by_domain = "training" in config and config["training"]["keep"] == "domain"
        self.validations: list[dict[str, float | None]] = []

    def step(self, *, epoch: int, step: int, steps: int, loss: float, samples_per_second: float) -> None:
        if self.observer is not None:
            self.observer.step(trial=len(self.study.trials), epoch=epoch, step=step, steps=steps)

    def validated(self, *, epoch: int, metrics: Metrics, best: bool) -> None:
        now = {name: values[f"recall@{self.study.k}"] for name, values in metrics.domains.items()}
        before = self.validations[-1] if self.validations else now
        if self.by_domain:  # each its own best epoch
            now = {name: None if own is None else max(own, before[name] or 0.0) for name, own in now.items()}
        self.validations.append(now if best or self.by_domain else before)
        if is_behind(self.study, self.study.objectives(self.validations)):
            raise PrunedError


def _validate(study: Study, model: Model, config: Config, prepared: Path, run: Path, watch: Watch, device: str) -> None:
    """Train, or fit and validate once; `watch` is told."""
    dataset = Dataset(prepared)
    try:
        settings = settings_for(model, config)
        scorer = model.fit(dataset, settings.model) if isinstance(model, FittedModel) else None
    except AdiError as error:
        raise UnusableError(error) from error
    if scorer is not None:
        rows = TrainingSettings().validation_rows
        metrics = evaluate(scorer, dataset, part="validation", ks=(study.k,), rows_per_domain=rows)
        watch.validated(epoch=1, metrics=metrics, best=True)
        return
    shutil.rmtree(run, ignore_errors=True)  # of a tuning that was killed
    try:
        train(prepared, model, run, settings=config, seed=study.seed, device=device, progress=False, observer=watch)
    except DivergedError as error:
        raise UnusableError(error) from error
