"""A run of adi in MLflow: settings, epochs and evaluation, by domain; the run's files; what it was trained on."""

import json
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from adi.data.folder import replace_text
from adi.errors import AdiError
from adi.runs.health import HealthWarning
from adi.runs.info import FILE as INFO
from adi.runs.info import RunInfo, read_info
from adi.runs.metrics import FILE as METRICS
from adi.runs.metrics import Metrics
from adi.tracking.mlflow_run import MlflowRun

if TYPE_CHECKING:
    from adi.training.loop import Observer

FILE = "mlflow.json"
"""The file of a run's folder that has the id of its run in MLflow."""

Warn = Callable[[str], None]


def mlflow_run(address: str, folder: Path, warn: Warn) -> MlflowRun:
    """The run in MLflow of a run's folder, or a new one."""
    path, run_id = folder / FILE, None
    if path.exists():
        try:
            run_id = str(json.loads(path.read_text(encoding="utf-8"))["run_id"])
        except (ValueError, KeyError, TypeError):
            raise AdiError(f"{path}: not a file that adi wrote. Remove it; a new run is then made in MLflow.") from None
    return MlflowRun(address, folder.resolve().name, warn, run_id=run_id)


class TrackedTraining:
    """An observer of a training (`adi.training.loop.Observer`) that logs its epochs, and passes all on to another."""

    def __init__(self, run: MlflowRun, folder: Path, observer: "Observer | None") -> None:
        self.run, self.folder, self.observer = run, folder, observer
        self.loss = 0.0

    def refitting(self, *, epochs: int) -> None:
        if self.observer is not None:
            self.observer.refitting(epochs=epochs)

    def step(self, *, epoch: int, step: int, steps: int, loss: float, samples_per_second: float) -> None:
        self.loss = loss
        if self.observer is not None:
            self.observer.step(epoch=epoch, step=step, steps=steps, loss=loss, samples_per_second=samples_per_second)

    def validated(self, *, epoch: int, metrics: Metrics, best: bool) -> None:
        self.run.metrics({"loss": self.loss, **by_domain("validation", metrics)}, epoch)
        keep_id(self.run, self.folder)
        if self.observer is not None:
            self.observer.validated(epoch=epoch, metrics=metrics, best=best)

    def warned(self, *, warning: HealthWarning) -> None:
        if self.observer is not None:
            self.observer.warned(warning=warning)


def log_training(run: MlflowRun, folder: Path, info: RunInfo) -> None:
    """Log the settings of a complete run, its files, and what it was trained on; ends the run in MLflow."""
    run.parameters({"model": info.model, "seed": info.seed})
    run.parameters({f"{part}.{name}": value for part, values in info.config.items() for name, value in values.items()})
    run.tags({"adi.version": version("adi-retrieval"), "adi.data": info.fingerprint, "adi.run": str(folder)})
    if info.kept is not None:
        run.metrics({f"kept_epoch/{domain}": epoch for domain, epoch in info.kept.items()})
    run.file(folder / INFO)
    run.end()
    keep_id(run, folder)


def log_evaluation(run: MlflowRun, folder: Path, metrics: Metrics) -> None:
    """Log the measures of an evaluation into the run of its training, or into a new one with its settings."""
    is_new = run.run_id is None
    run.metrics(by_domain(metrics.part, metrics))
    run.file(folder / METRICS)
    if is_new:
        log_training(run, folder, read_info(folder))
    else:
        run.end()


def by_domain(part: str, metrics: Metrics) -> dict[str, float | None]:
    """The measures of each domain and their mean, as ``test/recall@50/search`` and ``test/recall@50/mean``."""
    values = {f"{part}/{name}/mean": value for name, value in metrics.mean.items()}
    for domain, measures in metrics.domains.items():
        values |= {f"{part}/{name}/{domain}": measures[name] for name in metrics.mean}
    return values


def keep_id(run: MlflowRun, folder: Path) -> None:
    """Write the id of the run in MLflow into the folder of the run, once it has one."""
    if run.run_id is not None and not (folder / FILE).exists():
        replace_text(folder / FILE, json.dumps({"run_id": run.run_id}) + "\n")
