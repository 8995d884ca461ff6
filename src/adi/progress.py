"""Progress of long work, on standard error: in a terminal and in a notebook by default, silent elsewhere."""

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from importlib.util import find_spec

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from adi.runs.metrics import Metrics

Report = Callable[[str, int, int], None]
"""Called with the name of a stage, how many of its units are done, and how many there are."""


@contextmanager
def reporting(progress: bool | Report) -> Iterator[Report]:
    """The function to report to: the given one; for True bars, in a terminal or a notebook; else a silent one."""
    if callable(progress):
        yield progress
    elif progress and visible():
        with progress_bar() as report:
            yield report
    else:
        yield lambda stage, done, total: None


@contextmanager
def epochs(progress: bool) -> "Iterator[Epochs | None]":
    """A bar and a table of a training's epochs; None where nothing is to be shown."""
    if not (progress and visible()):
        yield None
        return
    with bars("loss", "speed") as shown:
        yield Epochs(shown)


def visible() -> bool:
    """Whether standard error is a terminal, or a notebook that can show a bar."""
    console = Console(stderr=True)
    return find_spec("ipywidgets") is not None if console.is_jupyter else console.is_terminal


@contextmanager
def bars(*columns: str, console: Console | None = None) -> Iterator[Progress]:
    """A set of progress bars with the given extra text fields, which are removed when the work is done."""
    fields = [TextColumn(f"{{task.fields[{name}]}}") for name in columns]
    parts = (TextColumn("{task.description}"), BarColumn(), *fields, TimeElapsedColumn(), TimeRemainingColumn())
    progress = Progress(*parts, console=console or Console(stderr=True), transient=True)
    with progress.live:  # the progress itself would leave an empty line in a log file
        yield progress


@contextmanager
def progress_bar(console: Console | None = None) -> Iterator[Report]:
    """A function to report to that shows one bar for each stage."""
    with bars(console=console) as progress:
        tasks: dict[str, TaskID] = {}

        def report(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = progress.add_task(stage, total=total)
            progress.update(tasks[stage], completed=done, total=total)

        yield report


HEAD = "epoch    loss  samples/s"
UNDEFINED = "–"


class Epochs:
    """An observer of a training (`adi.training.loop.Observer`): a bar for the epoch under way, a line for each done.

    The lines form a table; where the domains do not fit on the terminal beside each other, it has their mean alone.
    """

    def __init__(self, progress: Progress) -> None:
        self.progress = progress
        self.task = progress.add_task("", total=None, loss="", speed="", visible=False)
        self.loss = self.speed = UNDEFINED
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
        values = "".join(f"{_recall(metrics.domains[name][key]):>{width}}" for name, width in self.widths.items())
        line = f"{epoch:>5}{self.loss:>8}{self.speed:>11}{_recall(value):>8}{values}{'  best' if best else ''}"
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


def _recall(value: float | None) -> str:
    return UNDEFINED if value is None else f"{value:.4f}"
