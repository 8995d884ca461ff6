"""The command reproduce, and how its grid shows itself: a bar for each cell under way, a line for each that is done."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import Progress, TaskID

from adi.cli.options import Device
from adi.cli.show import ERR, bars, number, say

if TYPE_CHECKING:
    from adi.reproduce.cells import Cell
    from adi.reproduce.folder import Record
    from adi.runs.metrics import Metrics

FAILED = 1


def reproduce(
    table: Annotated[str, typer.Argument(help="table2, table3, table6, table7, table8, figure3, figure5, or all.")],
    out: Annotated[
        Path, typer.Option("--out", help="Folder of the grid: new, or that of an earlier call to go on with.")
    ],
    data: Annotated[
        Path | None,
        typer.Option(help="Folder with the published files of each public data set, in one of its name."),
    ] = None,
    seeds: Annotated[int, typer.Option(help="Trainings of each cell, with seeds 0, 1 and so on.")] = 3,
    only: Annotated[str | None, typer.Option(help="Models to run, as in dnn,adi-se.", show_default="all")] = None,
    datasets: Annotated[
        str | None, typer.Option(help="Data sets to run on, as in globo-news,marketplace.", show_default="all")
    ] = None,
    jobs: Annotated[int, typer.Option(help="Cells to run at once, each with its share of the cores.")] = 1,
    device: Device = "cpu",
    quick: Annotated[
        bool, typer.Option("--quick", help="A first look, in OUT/quick: one seed, one epoch, a small marketplace.")
    ] = False,
    redo: Annotated[
        bool,
        typer.Option("--redo", help="Remove what is of other code, data or settings, or failed, and run it again."),
    ] = False,
) -> None:
    """Run what a table or figure of the paper takes; write it beside the paper's as CSV, PNG and one HTML report.

    What is done is kept: the same command goes on after an interruption, and tables share the cells that they agree on.

    Example: [bold]adi reproduce table2 --datasets marketplace --out reproduced[/]
    """
    from adi.reproduce.grid import reproduce as run

    try:
        with bars("doing") as progress:
            done = run(
                table,
                out,
                Grid(progress),
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
    say(f"Wrote {done.report}, and the CSV and PNG of each table beside it.")
    if done.failed:
        for place, reason in done.failed.items():
            ERR.print(f"{place}: failed: {reason}", soft_wrap=True)
        raise typer.Exit(FAILED)


def _names(text: str | None) -> list[str] | None:
    return None if text is None else [name.strip() for name in text.split(",") if name.strip()]


class Grid:
    """Told by a reproduction of its cells (`adi.reproduce.grid.Watcher`), shows them on standard error."""

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

    def training(self, cell: "Cell") -> "CellEpochs":
        self.rows[cell] = self.progress.add_task(f"  {cell.dataset} {cell.name}, seed {cell.seed}", doing="")
        self.stage("")
        return CellEpochs(self.progress, self.rows[cell])

    def evaluating(self, cell: "Cell") -> None:
        self.progress.update(self.rows[cell], doing="evaluating")

    def finished(self, cell: "Cell", record: "Record", metrics: "Metrics | None") -> None:
        self.done += 1
        self._count()
        self.progress.remove_task(self.rows.pop(cell))
        reached = "failed"
        if metrics is not None:
            reached = number(metrics.mean["recall@10" if metrics.against == "candidates" else "recall@50"])
        minutes, seconds = divmod(round(record.seconds), 60)
        self._line(cell.dataset, cell.name, str(cell.seed), reached, f"{minutes}:{seconds:02}")

    def _count(self) -> None:
        self.progress.update(self.task, completed=self.done, description=f"cells {self.done}/{self.cells}")

    def _line(self, dataset: str, name: str, seed: str, reached: str, time: str) -> None:
        first, second = self.widths
        self._print(f"{dataset:<{first}}  {name:<{second}}  {seed:>4}  {reached:>7}  {time:>7}")

    def _print(self, line: str) -> None:
        self.progress.console.print(line, soft_wrap=True)


class CellEpochs:
    """Told by the training of one cell of its steps and epochs, shows them in the cell's bar, full once an epoch."""

    def __init__(self, progress: Progress, task: TaskID) -> None:
        self.progress, self.task, self.reached = progress, task, ""

    def step(self, *, epoch: int, step: int, steps: int, loss: float, samples_per_second: float) -> None:
        doing = f"epoch {epoch}, {'validating, ' if step == steps else ''}loss {loss:.4f}{self.reached}"
        self.progress.update(self.task, completed=step, total=steps, doing=doing)

    def validated(self, *, epoch: int, metrics: "Metrics", best: bool) -> None:
        key = next(iter(metrics.mean))
        self.reached = f", validation {key} {number(metrics.mean[key])}{' (best)' if best else ''}"
