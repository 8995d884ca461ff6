"""The command reproduce, with a bar for each cell under way and a line for each that is finished."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import Progress, TaskID

from adi.cli.options import Device
from adi.cli.show import ERR, number, say

if TYPE_CHECKING:
    from adi.reproduce.cells import Cell, CellRecord
    from adi.runs.metrics import Metrics

FAILED = 1


def reproduce(
    table: Annotated[str, typer.Argument(help="table2, table3, table6, table7, table8, figure3, figure5, or all.")],
    out: Annotated[
        Path, typer.Option("--out", help="Folder of the grid: new, or that of an earlier call, which goes on.")
    ],
    data: Annotated[
        Path | None,
        typer.Option(help="Folder with the published files of each public data set, in a folder of its name."),
    ] = None,
    seeds: Annotated[int, typer.Option(help="Trainings of each model, with seeds 0, 1 and so on.")] = 3,
    only: Annotated[str | None, typer.Option(help="Models to run, as in dnn,adi-se.", show_default="all")] = None,
    datasets: Annotated[
        str | None, typer.Option(help="Data sets to run on, as in globo-news,marketplace.", show_default="all")
    ] = None,
    jobs: Annotated[int, typer.Option(help="Cells to run at a time, each with its share of the cores.")] = 1,
    device: Device = "cpu",
    quick: Annotated[
        bool, typer.Option("--quick", help="A quick look, in OUT/quick: one seed, one epoch, a small marketplace.")
    ] = False,
    redo: Annotated[
        bool,
        typer.Option(
            "--redo", help="Remove cells of other code, data or settings, and failed ones, and run them again."
        ),
    ] = False,
) -> None:
    """Reproduce a table or figure of the paper beside the paper's numbers, as CSV, PNG and one HTML report.

    Finished cells are kept: the same command goes on after an interruption, and tables share equal cells.

    Example: [bold]adi reproduce table2 --datasets marketplace --out reproduced[/]
    """
    from adi.progress import bars
    from adi.reproduce.grid import reproduce as run

    try:
        with bars("doing", console=ERR) as progress:
            result = run(
                table,
                out,
                GridProgress(progress),
                data=data,
                seeds=seeds,
                only=_names(only),
                datasets=_names(datasets),
                jobs=jobs,
                device=device,
                quick=quick,
                redo=redo,
            )
    except KeyboardInterrupt:
        ERR.print(f"{out}: not finished; the same command goes on.", soft_wrap=True)
        raise
    say(f"Wrote {result.report}, and the CSV and PNG of each table beside it.")
    if result.failed:
        for cell, reason in result.failed.items():
            ERR.print(f"{cell}: failed: {reason}", soft_wrap=True)
        raise typer.Exit(FAILED)


def _names(text: str | None) -> list[str] | None:
    return None if text is None else [name.strip() for name in text.split(",") if name.strip()]


class GridProgress:
    """The progress of a grid on standard error (`adi.reproduce.grid.GridObserver`)."""

    def __init__(self, progress: Progress) -> None:
        self.progress = progress
        self.task = progress.add_task("", total=None, doing="")
        self.rows: dict[Cell, TaskID] = {}
        self.cells = self.done = 0
        self.widths = (0, 0)

    def stage(self, text: str) -> None:
        self.progress.update(self.task, doing=text)

    def planned(self, *, cells: Sequence["Cell"], left: int) -> None:
        self.cells, self.done = len(cells), len(cells) - left
        self.progress.reset(self.task, total=self.cells, completed=self.done)
        self._count()
        if self.done:
            self._print(f"{self.done} of {self.cells} cells are done already.")
        if left:
            self.widths = max(len(cell.dataset) for cell in cells), max(len(cell.name) for cell in cells)
            self._line("data set", "cell", "seed", "recall", "time")

    def training(self, cell: "Cell") -> "CellProgress":
        self.rows[cell] = self.progress.add_task(f"  {cell.dataset} {cell.name}, seed {cell.seed}", doing="")
        self.stage("")
        return CellProgress(self.progress, self.rows[cell])

    def evaluating(self, cell: "Cell") -> None:
        self.progress.update(self.rows[cell], doing="evaluating")

    def finished(self, cell: "Cell", record: "CellRecord", metrics: "Metrics | None") -> None:
        self.done += 1
        self._count()
        self.progress.remove_task(self.rows.pop(cell))
        recall = "failed" if metrics is None else number(metrics.mean[metrics.default_measure])
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

    def validated(self, *, epoch: int, metrics: "Metrics", best: bool) -> None:
        key = next(iter(metrics.mean))
        self.validation = f", validation {key} {number(metrics.mean[key])}{' (best)' if best else ''}"
