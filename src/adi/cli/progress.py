"""Progress of a command on standard error: bars and lines of text, events of a log in JSON, or nothing."""

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

from adi.cli.log import LOG
from adi.cli.screen import ERR

if TYPE_CHECKING:
    from adi.grid.cells import Cell, CellRecord, GridObserver
    from adi.progress import Report
    from adi.runs.health import HealthWarning
    from adi.runs.metrics import Metrics
    from adi.training.loop import Observer as TrainingObserver
    from adi.tuning.study import Study
    from adi.tuning.trial import Observer as TuningObserver

PERIOD = 5.0
"""Seconds between two events of one stage's progress; its first and its last are always written."""


def progress_bar() -> "AbstractContextManager[Report]":
    """A function (stage, done, total) that shows one bar for each stage."""
    if LOG.json or LOG.quiet:
        return nullcontext(Stages())
    from adi.progress import progress_bar as bar

    return bar(ERR)


@contextmanager
def working(doing: str) -> Iterator[None]:
    """Show what is being done while it is."""
    LOG.event("progress", stage=doing)
    with nullcontext() if LOG.json or LOG.quiet else ERR.status(doing):
        yield


@contextmanager
def epochs() -> "Iterator[TrainingObserver | None]":
    """An observer of a training; None under --quiet."""
    if LOG.json or LOG.quiet:
        yield EpochEvents() if LOG.json else None
        return
    from adi.progress import bars
    from adi.training.progress import Epochs

    with bars("loss", "speed", console=ERR) as progress:
        yield Epochs(progress)


@contextmanager
def trials(count: int) -> "Iterator[TuningObserver | None]":
    """An observer of a tuning of `count` trials; None under --quiet."""
    if LOG.json or LOG.quiet:
        yield TrialEvents(count) if LOG.json else None
        return
    from adi.progress import bars
    from adi.tuning.progress import Trials

    with bars("under_way", console=ERR) as progress:
        yield Trials(progress, count)


@contextmanager
def cells() -> "Iterator[GridObserver]":
    """An observer of a grid."""
    from adi.grid.progress import cell_lines

    if LOG.json or LOG.quiet:
        yield CellEvents()
        return
    with cell_lines(ERR) as observer:
        yield observer


class Stages:
    """Events on the progress of stages: their first, their last, and in between one in `PERIOD` seconds."""

    def __init__(self) -> None:
        self.last: dict[str, float] = {}

    def __call__(self, stage: str, done: int, total: int, **fields: Any) -> None:
        now = time.monotonic()
        if done == total or now - self.last.get(stage, -math.inf) >= PERIOD:
            self.last[stage] = now
            LOG.event("progress", stage=stage, done=done, total=total, **fields)


class EpochEvents:
    """Events on the steps and epochs of a training (`adi.training.loop.Observer`); `fields` are in each of them."""

    def __init__(self, **fields: Any) -> None:
        self.fields, self.stages, self.loss, self.refit = fields, Stages(), math.nan, False

    def refitting(self, *, epochs: int) -> None:
        LOG.event("refit", epochs=epochs, **self.fields)
        self.refit = True

    def step(self, *, epoch: int, step: int, steps: int, loss: float, samples_per_second: float) -> None:
        self.loss = loss
        speed = round(samples_per_second, 1)
        self.stages(f"epoch {epoch}", step, steps, loss=_number(loss), samples_per_second=speed, **self.fields)

    def validated(self, *, epoch: int, metrics: "Metrics", best: bool) -> None:
        (k,) = metrics.ks
        measure, compared = f"recall@{k}", f"ndcg@{k}"
        LOG.event(
            "epoch",
            epoch=epoch,
            best=best,
            compared_by=compared,
            value=metrics.mean[compared],
            loss=_number(self.loss),
            measure=measure,
            mean=metrics.mean[measure],
            domains={name: values[measure] for name, values in metrics.domains.items()},
            **self.fields,
        )

    def warned(self, *, warning: "HealthWarning") -> None:
        LOG.event("health", level="warning", epoch=warning.epoch, message=warning.message, **self.fields)


class TrialEvents:
    """Events on the trials of a tuning (`adi.tuning.trial.Observer`)."""

    def __init__(self, count: int) -> None:
        self.count, self.stages = count, Stages()

    def step(self, *, trial: int, epoch: int, step: int, steps: int) -> None:
        self.stages(f"trial {trial}, epoch {epoch}", step, steps)

    def finished(self, study: "Study") -> None:
        trial = study.trials[-1]
        LOG.event(
            "trial",
            trial=trial.number,
            trials=self.count,
            state=trial.state,
            reason=trial.reason,
            best=bool(study.ranked()) and trial == study.ranked()[0],
            objective=study.value(trial),
            seconds=round(trial.seconds, 3),
            settings=dict(trial.settings),
        )


class CellEvents:
    """Events on the cells of a grid (`adi.grid.cells.GridObserver`)."""

    def __init__(self) -> None:
        self.done = self.count = 0

    def stage(self, text: str) -> None:
        if text:
            LOG.event("progress", stage=text)

    def planned(self, *, cells: "Sequence[Cell]", left: int) -> None:
        self.count, self.done = len(cells), len(cells) - left
        LOG.event("progress", stage="cells", done=self.done, total=self.count)

    def training(self, cell: "Cell") -> EpochEvents:
        return EpochEvents(**_names(cell))

    def evaluating(self, cell: "Cell") -> None:
        LOG.event("progress", stage="evaluating", **_names(cell))

    def finished(self, cell: "Cell", record: "CellRecord", metrics: "Metrics | None") -> None:
        self.done += 1
        LOG.event(
            "cell",
            level="warning" if metrics is None else "info",
            done=self.done,
            total=self.count,
            state=record.status,
            reason=record.reason,
            seconds=round(record.seconds, 3),
            mean=None if metrics is None else metrics.mean[metrics.default_measure],
            **_names(cell),
        )


def _names(cell: "Cell") -> Mapping[str, Any]:
    return {"dataset": cell.dataset, "cell": cell.name, "seed": cell.seed}


def _number(value: float) -> float | None:
    """A number of JSON: None for one that is not finite."""
    return value if math.isfinite(value) else None
