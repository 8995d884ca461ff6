"""The command backtest, with a bar for each cell under way and a line for each that is finished."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from adi.cli.exit_codes import FAILED
from adi.cli.log import LOG
from adi.cli.options import AsJson, Device
from adi.cli.progress import cells
from adi.cli.show import number, plain_table, say, say_json

if TYPE_CHECKING:
    from adi.backtesting.result import Backtest


def backtest(
    schema: Annotated[Path, typer.Argument(help="schema.yaml, or its folder.")],
    models: Annotated[str, typer.Option(help="Models, as in popularity,item-knn,dnn; also package.module:NAME.")],
    out: Annotated[Path, typer.Option("--out", help="Folder to write: new, or of an earlier call, which goes on.")],
    every: Annotated[
        str, typer.Option(help="Length of a window, as in 30m, 3h or 1d; a number where the log's time is one.")
    ] = "3h",
    windows: Annotated[int, typer.Option(help="Windows, the last before the end.")] = 8,
    until: Annotated[
        str | None,
        typer.Option(help="End of the last window, as in 2017-10-04T12:00:00.", show_default="the end of the log"),
    ] = None,
    config: Annotated[Path | None, typer.Option(help="YAML file of settings, as for adi train.")] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set", help="A setting of all models that have it, as in epochs=3, or of one: dnn.epochs=3; repeatable."
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="The first seed.")] = 0,
    seeds: Annotated[int, typer.Option(help="Trainings of each model in each window, with seeds from --seed on.")] = 1,
    measure: Annotated[str, typer.Option(help="What tables and the chart show; the JSON has all.")] = "recall@50",
    jobs: Annotated[int, typer.Option(help="Cells to run at a time, each with its share of the cores.")] = 1,
    device: Device = "cpu",
    memory: Annotated[str, typer.Option(help="Bound for the memory of the engine that prepares the windows.")] = "2GB",
    redo: Annotated[
        bool,
        typer.Option(
            "--redo", help="Remove what is of another schema, data, settings or code, and what failed; run it again."
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Walk forward over a log with time: train up to a moment, test the window that follows, move on.

    Each model is shown frozen (trained before the first window, and nothing later is known), live (the same weights,
    with live histories and counters) and retrained (anew before each window). Finished cells are kept: the same command
    goes on after an interruption.

    Example: [bold]adi backtest tables --every 3h --windows 8 --models popularity,dnn --out backtest[/]
    """
    from adi.backtesting.backtest import backtest as run
    from adi.cli.settings import given_settings

    names = [name.strip() for name in models.split(",") if name.strip()]
    given = given_settings(config, settings or [], names)
    try:
        with cells() as observer:
            result = run(
                schema,
                out,
                models=names,
                every=every,
                windows=windows,
                until=until,
                settings=given,
                seed=seed,
                seeds=seeds,
                measure=measure,
                jobs=jobs,
                device=device,
                memory=memory,
                redo=redo,
                observer=observer,
            )
    except KeyboardInterrupt:
        LOG.message(f"{out}: not finished; the same command goes on.", level="error")
        raise
    if as_json:
        say_json(result.model_dump(mode="json"))
    else:
        _show(result)
        say(f"Wrote {out}/backtest.md, backtest.json and backtest.png.")
    if result.failed:
        for cell, reason in result.failed.items():
            LOG.message(f"{cell}: failed: {reason}", level="error")
        raise typer.Exit(FAILED)


def _show(result: "Backtest") -> None:
    """A table of the mean over the domains, and one of each domain, with a column for each window."""
    for domain in (None, *result.domains):
        name = "mean of the domains" if domain is None else domain
        table = plain_table(f"{result.measure}, {name}, by windows of {result.every} from", "model", "way")
        for window in result.windows:
            table.add_column(window.label.replace(" ", "\n"), justify="right")
        table.add_column("mean", justify="right")
        last = None
        for model, way, values in result.lines(domain):
            if last not in (None, model):
                table.add_section()
            table.add_row("" if model == last else model, way, *map(number, values))
            last = model
        say(table)
