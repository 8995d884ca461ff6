"""A training as it goes: a bar for the epoch under way, and a line for each that is done."""

from collections.abc import Collection

from rich.progress import Progress

from adi.cli.show import number
from adi.runs.metrics import Metrics

HEAD = "epoch    loss  samples/s"


class Epochs:
    """Told by a training of its steps and epochs (`adi.training.loop.Observer`), shows them on standard error.

    The lines form a table; where the domains do not fit on the terminal beside each other, their mean stands alone.
    """

    def __init__(self, progress: Progress) -> None:
        self.progress = progress
        self.task = progress.add_task("", total=None, loss="", speed="", visible=False)
        self.loss = self.speed = "–"
        self.widths: dict[str, int] | None = None
        self.best: int | None = None

    def step(self, *, epoch: int, step: int, steps: int, loss: float, samples_per_second: float) -> None:
        if step == 1:
            self.progress.reset(self.task)
        self.loss, self.speed = f"{loss:.4f}", f"{samples_per_second:,.0f}"
        self.progress.update(
            self.task,
            description=f"epoch {epoch}" if step < steps else f"validating epoch {epoch}",
            completed=step,
            total=steps,
            loss=f"loss {self.loss}",
            speed=f"{self.speed} samples/s",
            visible=True,
        )

    def validated(self, *, epoch: int, metrics: Metrics, best: bool) -> None:
        self.progress.update(self.task, visible=False)
        key = next(iter(metrics.mean))
        if self.widths is None:
            self.widths = self._heading(key, metrics.domains)
        value = metrics.mean[key]
        if best:
            self.best = epoch
        values = "".join(f"{number(metrics.domains[name][key]):>{width}}" for name, width in self.widths.items())
        line = f"{epoch:>5}{self.loss:>8}{self.speed:>11}{number(value):>8}{values}{'  best' if best else ''}"
        self._print(line)

    def _heading(self, key: str, domains: Collection[str]) -> dict[str, int]:
        """Prints the head of the table; returns the width of each domain's column, none where they do not fit."""
        widths = {name: max(len(name), 6) + 2 for name in domains}
        if len(HEAD) + 8 + sum(widths.values()) + len("  best") > self.progress.console.width:
            widths = {}
        self._print(f"{'':{len(HEAD)}}    validation {key}" + ("" if widths else f", mean of {len(domains)} domains"))
        self._print(f"{HEAD}    mean" + "".join(f"{name:>{width}}" for name, width in widths.items()))
        return widths

    def _print(self, line: str) -> None:
        self.progress.console.print(line, soft_wrap=True)
