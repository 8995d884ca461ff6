"""The option --mlflow: runs, evaluations and tunings in MLflow, where it is given."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adi.cli.log import LOG

if TYPE_CHECKING:
    from adi.runs.info import RunInfo
    from adi.runs.metrics import Metrics
    from adi.tracking.mlflow_run import MlflowRun
    from adi.training.loop import Observer as TrainingObserver
    from adi.tuning.trial import Observer as TuningObserver


def tracked_run(address: str | None, folder: Path) -> "MlflowRun | None":
    """The run in MLflow of a folder; None where none is wanted."""
    if not address:
        return None
    from adi.tracking.runs import mlflow_run

    return mlflow_run(address, folder, lambda text: LOG.message(text, level="warning"))


@contextmanager
def tracking(run: "MlflowRun | None") -> "Iterator[None]":
    """End the run in MLflow as failed, or as killed by an interrupt, where the block does not end well."""
    try:
        yield
    except BaseException as error:
        if run is not None and run.run_id is not None:
            run.end("KILLED" if isinstance(error, KeyboardInterrupt) else "FAILED")
        raise


def tracked_training(
    run: "MlflowRun | None", folder: Path, observer: "TrainingObserver | None"
) -> "TrainingObserver | None":
    """An observer that also logs to the run."""
    if run is None:
        return observer
    from adi.tracking.runs import TrackedTraining

    return TrackedTraining(run, folder, observer)


def tracked_tuning(run: "MlflowRun | None", folder: Path, observer: "TuningObserver | None") -> "TuningObserver | None":
    """An observer that also logs to the run."""
    if run is None:
        return observer
    from adi.tracking.studies import TrackedTuning

    return TrackedTuning(run, folder, observer)


def log_training(run: "MlflowRun | None", folder: Path, info: "RunInfo") -> None:
    """Log a complete training."""
    if run is not None:
        from adi.tracking import runs

        runs.log_training(run, folder, info)


def log_evaluation(run: "MlflowRun | None", folder: Path, metrics: "Metrics") -> None:
    """Log an evaluation."""
    if run is not None:
        from adi.tracking import runs

        runs.log_evaluation(run, folder, metrics)


def mlflow_result(run: "MlflowRun | None") -> dict[str, Any]:
    """The part of the result in JSON about MLflow: the run's id, and why something was not logged; empty without it."""
    return {} if run is None else {"mlflow": {"run_id": run.run_id, "problem": run.problem}}
