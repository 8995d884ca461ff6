"""Progress of a grid: a bar for each cell under way, and a line for each that is finished."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import Progress, TaskID

from adi.grid.cells import Cell, CellRecord, GridObserver
from adi.progress import UNDEFINED, bars, visible
from adi.runs.health import HealthWarning
from adi.runs.metrics import Metrics


@contextmanager
def observing(progress: bool, observer: GridObserver | None) -> Iterator[GridObserver]:
    """The given observer; without one, bars if `progress` is on and can be shown, else a silent one."""
    if observer is not None:
        yield observer
    elif progress and visible():
        with cell_lines() as shown:
            yield shown
    else:
        yield Silent()


@contextmanager
def cell_lines(console: Console | None = None) -> "Iterator[GridProgress]":
    """An observer that shows the progress of a grid; by default on standard error."""
    with bars("doing", console=console) as progress:
        yield GridProgress(progress)


class GridProgress:
    """The progress of a grid (`adi.grid.cells.GridObserver`)."""

    def __init__(self, progress: Progress) -> None:
        self.progress = progress
        self.task = progress.add_task("", total=None, doing="")
        self.rows: dict[Cell, TaskID] = {}
        self.cells = self.done = 0
        self.widths = (0, 0)

    def stage(self, text: str) -> None:
        self.progress.update(self.task, doing=text)

    def planned(self, *, cells: Sequence[Cell], left: int) -> None:
        self.cells, self.done = len(cells), len(cells) - left
        self.progress.reset(self.task, total=self.cells, completed=self.done)
        self._count()
        if self.done:
            self._print(f"{self.done} of {self.cells} cells are done already.")
        if left:
            self.widths = max(len(cell.dataset) for cell in cells), max(len(cell.name) for cell in cells)
            self._line("data set", "cell", "seed", "recall", "time")

    def training(self, cell: Cell) -> "CellProgress":
        self.rows[cell] = self.progress.add_task(f"  {cell.dataset} {cell.name}, seed {cell.seed}", doing="")
        self.stage("")
        return CellProgress(self.progress, self.rows[cell])

    def evaluating(self, cell: Cell) -> None:
        self.progress.update(self.rows[cell], doing="evaluating")

    def finished(self, cell: Cell, record: CellRecord, metrics: Metrics | None) -> None:
        self.done += 1
        self._count()
        self.progress.remove_task(self.rows.pop(cell))
        recall = "failed" if metrics is None else _number(metrics.mean[metrics.default_measure])
        minutes, seconds = divmod(round(record.seconds), 60)
        self._line(cell.dataset, cell.name, str(cell.seed), recall, f"{minutes}:{seconds:02}")

    def _count(self) -> None:
        self.progress.update(self.task, completed=self.done, description=f"cells {self.done}/{self.cells}")

    def _line(self, dataset: str, name: str, seed: str, recall: str, time: str) -> None:
        first, second = self.widths
        self._print(f"{dataset:<{first}}  {name:<{second}}  {seed:>4}  {recall:>7}  {time:>7}")

    def _print(self, line: str) -> None:
        self.progress.console.print(line, soft_wrap=True)


class CellProgress:
    """The progress of a cell's training in its bar, which fills once an epoch (`adi.training.loop.Observer`)."""

    def __init__(self, progress: Progress, task: TaskID) -> None:
        self.progress, self.task, self.validation, self.refit = progress, task, "", False

    def refitting(self, *, epochs: int) -> None:
        self.refit = True

    def step(self, *, epoch: int, step: int, steps: int, loss: float, samples_per_second: float) -> None:
        state = "refit, " if self.refit else "validating, " if step == steps else ""
        doing = f"epoch {epoch}, {state}loss {loss:.4f}{self.validation}"
        self.progress.update(self.task, completed=step, total=steps, doing=doing)

    def validated(self, *, epoch: int, metrics: Metrics, best: bool) -> None:
        key = next(iter(metrics.mean))
        self.validation = f", validation {key} {_number(metrics.mean[key])}{' (best)' if best else ''}"

    def warned(self, *, warning: HealthWarning) -> None:
        """Say nothing: log.jsonl and the report have it."""


class Silent:
    """An observer of a grid, and of its trainings, that shows nothing."""

    def stage(self, text: str) -> None: ...
    def planned(self, *, cells: Sequence[Cell], left: int) -> None: ...
    def training(self, cell: Cell) -> "Silent":
        return self

    def evaluating(self, cell: Cell) -> None: ...
    def finished(self, cell: Cell, record: CellRecord, metrics: Metrics | None) -> None: ...
    def refitting(self, *, epochs: int) -> None: ...
    def step(self, *, epoch: int, step: int, steps: int, loss: float, samples_per_second: float) -> None: ...
    def validated(self, *, epoch: int, metrics: Metrics, best: bool) -> None: ...
    def warned(self, *, warning: HealthWarning) -> None: ...


def _number(value: float | None) -> str:
    return UNDEFINED if value is None else f"{value:.4f}"
