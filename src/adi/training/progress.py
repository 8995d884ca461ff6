"""Progress of a training: a bar for the current epoch, and a line for each finished epoch."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager

from rich.progress import Progress

from adi.progress import UNDEFINED, bars, visible
from adi.runs.health import HealthWarning
from adi.runs.metrics import Metrics

HEAD = "epoch    loss  samples/s"


@contextmanager
def epochs(progress: bool) -> "Iterator[Epochs | None]":
    """An observer that shows the epochs of a training; None if `progress` is off or cannot be shown."""
    if not (progress and visible()):
        yield None
        return
    with bars("loss", "speed") as shown:
        yield Epochs(shown)


class Epochs:
    """An observer of a training (`adi.training.loop.Observer`) that writes its epochs to standard error.

    The finished epochs form a table: the mean of the NDCG, by which epochs are compared, that of the recall, and the
    recall of each domain, unless the terminal is too narrow for all domains.
    """

    def __init__(self, progress: Progress) -> None:
        self.progress = progress
        self.task = progress.add_task("", total=None, loss="", speed="", visible=False)
        self.loss = self.speed = UNDEFINED
        self.widths: dict[str, int] | None = None
        self.best: int | None = None
        self.refit = False

    def refitting(self, *, epochs: int) -> None:
        self._print(f"refit on training and validation rows, epochs: {epochs}")
        self.refit = True

    def step(self, *, epoch: int, step: int, steps: int, loss: float, samples_per_second: float) -> None:
        if step == 1:
            self.progress.reset(self.task)
        self.loss = f"{loss:.4f}" if abs(loss) < 100 else f"{loss:.3g}"  # within its column
        self.speed = f"{samples_per_second:,.0f}"
        self.progress.update(
            self.task,
            description=f"validating epoch {epoch}" if step == steps and not self.refit else f"epoch {epoch}",
            completed=step,
            total=steps,
            loss=f"loss {self.loss}",
            speed=f"{self.speed} samples/s",
            visible=True,
        )

    def validated(self, *, epoch: int, metrics: Metrics, best: bool) -> None:
        self.progress.update(self.task, visible=False)
        (k,) = metrics.ks
        if self.widths is None:
            self.widths = self._heading(k, metrics.domains)
        if best:
            self.best = epoch
        values = "".join(f"{_rounded(metrics.mean[f'{name}@{k}']):>8}" for name in ("ndcg", "recall"))
        for name, width in self.widths.items():
            values += f"{_rounded(metrics.domains[name][f'recall@{k}']):>{width}}"
        self._print(f"{epoch:>5}{self.loss:>8}{self.speed:>11}{values}{'  best' if best else ''}")

    def warned(self, *, warning: HealthWarning) -> None:
        self._print(f"warning, epoch {warning.epoch}: {warning.message}")

    def _heading(self, k: int, domains: Collection[str]) -> dict[str, int]:
        """Print the head of the table; returns the width of each domain's column, or none if they do not fit."""
        widths = {name: max(len(name), 6) + 2 for name in domains}
        if len(HEAD) + 16 + sum(widths.values()) + len("  best") > self.progress.console.width:
            widths = {}
        by_domain = "recall by domain" if widths else f"mean of {len(domains)} domains"
        self._print(f"{'':{len(HEAD)}}    validation, lists of {k}: {by_domain}")
        self._print(f"{HEAD}    ndcg  recall" + "".join(f"{name:>{width}}" for name, width in widths.items()))
        return widths

    def _print(self, line: str) -> None:
        self.progress.console.print(line, soft_wrap=True)


def _rounded(value: float | None) -> str:
    return UNDEFINED if value is None else f"{value:.4f}"
