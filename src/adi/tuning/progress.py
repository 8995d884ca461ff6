"""Progress of a tuning: a bar for the current trial, and a line for each finished trial."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from rich.progress import Progress

from adi.progress import UNDEFINED, bars, visible
from adi.tuning.study import Study


@contextmanager
def trial_lines(progress: bool, trials: int) -> "Iterator[Trials | None]":
    """An observer that shows the progress of `trials` trials; None if `progress` is off or cannot be shown."""
    if not (progress and visible()):
        yield None
        return
    with bars("under_way") as shown:
        yield Trials(shown, trials)


class Trials:
    """An observer of a tuning (`adi.tuning.trial.Observer`) that writes its trials to standard error."""

    def __init__(self, progress: Progress, trials: int) -> None:
        self.progress = progress
        self.task = progress.add_task("trials", total=trials, under_way="")
        self.has_head = False

    def step(self, *, trial: int, epoch: int, step: int, steps: int) -> None:
        work = f"step {step} of {steps}" if step < steps else "validating"
        self.progress.update(self.task, completed=trial, under_way=f"trial {trial}, epoch {epoch}, {work}")

    def finished(self, study: Study) -> None:
        trial = study.trials[-1]
        if not self.has_head:
            self._print(f"trial{study.objective:>8}  epochs  seconds")
            self.has_head = True
        note = " ".join(f"{name}={value}" for name, value in rounded(trial.settings).items())
        if trial.number == 0:
            note = "base settings"
        elif trial.state != "complete":
            note = f"{trial.state}  {note}"
        elif trial == study.ranked()[0]:
            note = f"best  {note}"
        epochs = len(trial.validations) if "training" in study.config else UNDEFINED
        value = study.value(trial)
        objective = UNDEFINED if value is None else f"{value:.4f}"
        self._print(f"{trial.number:>5}{objective:>8}{epochs:>8}{trial.seconds:>9.1f}  {note}")
        if trial.reason is not None:
            self._print(f"{'':30}  {trial.reason}")
        self.progress.update(self.task, completed=trial.number + 1, under_way="")

    def _print(self, line: str) -> None:
        self.progress.console.print(line, soft_wrap=True)


def rounded(settings: Mapping[str, Any]) -> dict[str, str]:
    """Format settings as text, with four significant digits."""
    return {name: f"{value:.4g}" if isinstance(value, float) else str(value) for name, value in settings.items()}
