"""The command reproduce, with a bar for each cell under way and a line for each that is finished."""

from pathlib import Path
from typing import Annotated

import typer

from adi.cli.exit_codes import FAILED
from adi.cli.log import LOG
from adi.cli.options import AsJson, Device
from adi.cli.progress import cells
from adi.cli.show import say, say_json


def reproduce(
    table: Annotated[
        str, typer.Argument(help="table2, table3, table6, table7, table8, table9, figure3, figure5, live, or all.")
    ],
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
    days: Annotated[
        int | None, typer.Option(help="Of table9: days to simulate.", show_default="14; 2 with --quick")
    ] = None,
    requests: Annotated[
        int | None,
        typer.Option(help="Of table9: requests of both arms on a day.", show_default="20000; 1000 with --quick"),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Reproduce a table or figure of the paper beside the paper's numbers, as CSV, PNG and one HTML report.

    Finished cells are kept: the same command goes on after an interruption, and tables share equal cells.

    Example: [bold]adi reproduce table2 --datasets marketplace --out reproduced[/]
    """
    from adi.reproduce.grid import reproduce as run

    try:
        with cells() as observer:
            result = run(
                table,
                out,
                observer,
                data=data,
                seeds=seeds,
                only=_names(only),
                datasets=_names(datasets),
                jobs=jobs,
                device=device,
                quick=quick,
                redo=redo,
                days=days,
                requests=requests,
            )
    except KeyboardInterrupt:
        LOG.message(f"{out}: not finished; the same command goes on.", level="error")
        raise
    if as_json:
        say_json({"report": str(result.report), "failed": result.failed})
    else:
        say(f"Wrote {result.report}, and the CSV and PNG of each table beside it.")
    if result.failed:
        for cell, reason in result.failed.items():
            LOG.message(f"{cell}: failed: {reason}", level="error")
        raise typer.Exit(FAILED)


def _names(text: str | None) -> list[str] | None:
    return None if text is None else [name.strip() for name in text.split(",") if name.strip()]
