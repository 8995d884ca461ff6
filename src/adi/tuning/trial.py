"""One trial of a study: a training or a fit with proposed settings, evaluated on the validation rows."""

import shutil
import time
from pathlib import Path
from typing import Literal, Protocol

from adi.data.dataset import Dataset
from adi.errors import AdiError, DivergedError
from adi.evaluation.evaluate import evaluate
from adi.models.model import FittedModel, Model
from adi.runs.health import HealthWarning
from adi.runs.metrics import Metrics
from adi.training.settings import TrainingSettings, settings_for
from adi.training.train import train
from adi.tuning.search import is_behind, next_settings
from adi.tuning.space import Config, changed
from adi.tuning.study import Study, Trial


class Observer(Protocol):
    """Receives the progress of a tuning; a progress bar, for example."""

    def step(self, *, trial: int, epoch: int, step: int, steps: int) -> None: ...
    def finished(self, study: Study) -> None: ...


class PrunedError(Exception):
    """Ends a trial that is behind the others."""


class FailedError(Exception):
    """Ends a trial whose settings contradict each other, do not fit the dataset, or make the training diverge."""


def run_trial(
    study: Study, model: Model, prepared: Path, run: Path, observer: Observer | None, *, device: str
) -> Trial:
    """Run the next trial of a study; `run` is the folder of its training, which is removed afterwards.

    A trial whose settings are at fault is returned as failed, with the reason. Raises `AdiError` if the base settings
    are at fault, and for any other error.
    """
    number, started = len(study.trials), time.monotonic()
    settings = next_settings(study) if number else study.base
    config = changed(study.config, settings)
    validations = Validations(study, config, observer)
    state: Literal["complete", "pruned", "failed"] = "complete"
    reason = None
    try:
        _validate(study, model, config, prepared, run, validations, device)
    except PrunedError:
        state = "pruned"
    except FailedError as error:
        if number == 0:
            raise AdiError(f"trial 0, the base settings: {error}") from None
        state, reason = "failed", str(error)
    finally:
        shutil.rmtree(run, ignore_errors=True)
    return Trial(
        number=number,
        state=state,
        settings=settings,
        validations=tuple(validations.recalls),
        seconds=time.monotonic() - started,
        reason=reason,
    )


class Validations:
    """An observer of a training that records the recalls of its best epoch so far, and prunes it if it is behind."""

    def __init__(self, study: Study, config: Config, observer: Observer | None) -> None:
        self.study, self.observer = study, observer
        self.by_domain = "training" in config and config["training"]["keep"] == "domain"
        self.recalls: list[dict[str, float | None]] = []
        """The recall of each domain in the best epoch so far, after each epoch."""
        self.best_ndcg: dict[str, float] = {}

    def refitting(self, *, epochs: int) -> None:
        """Never called: trials have no refit."""

    def step(self, *, epoch: int, step: int, steps: int, loss: float, samples_per_second: float) -> None:
        if self.observer is not None:
            self.observer.step(trial=len(self.study.trials), epoch=epoch, step=step, steps=steps)

    def warned(self, *, warning: HealthWarning) -> None:
        """Say nothing: a trial is judged by its recall."""

    def validated(self, *, epoch: int, metrics: Metrics, best: bool) -> None:
        k, before = self.study.k, dict(self.recalls[-1]) if self.recalls else {}
        better = list(metrics.domains) if best else []
        if self.by_domain:  # each domain keeps its own best epoch
            ndcg = {name: values[f"ndcg@{k}"] for name, values in metrics.domains.items()}
            better = [name for name, value in ndcg.items() if value is None or value > self.best_ndcg.get(name, -1.0)]
            self.best_ndcg |= {name: value for name, value in ndcg.items() if name in better and value is not None}
        self.recalls.append(before | {name: metrics.domains[name][f"recall@{k}"] for name in better})
        if is_behind(self.study, self.study.objectives(self.recalls)):
            raise PrunedError


def _validate(
    study: Study, model: Model, config: Config, prepared: Path, run: Path, validations: Validations, device: str
) -> None:
    """Train a model, or fit it and validate it once, and record the validations."""
    dataset = Dataset(prepared)
    try:
        settings = settings_for(model, config)
        scorer = model.fit(dataset, settings.model) if isinstance(model, FittedModel) else None
    except AdiError as error:
        raise FailedError(error) from error
    if scorer is not None:
        rows = TrainingSettings().validation_rows
        metrics = evaluate(scorer, dataset, part="validation", ks=(study.k,), rows_per_domain=rows)
        validations.validated(epoch=1, metrics=metrics, best=True)
        return
    shutil.rmtree(run, ignore_errors=True)  # left over from a killed tuning
    try:
        train(
            prepared,
            model,
            run,
            settings=changed(config, {"refit": False, "blend": False}),
            seed=study.seed,
            device=device,
            baselines=False,
            verify=False,  # the tuning has done it
            progress=False,
            observer=validations,
        )
    except DivergedError as error:
        raise FailedError(error) from error
