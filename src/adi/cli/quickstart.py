"""The command quickstart: from tables to a report and a bundle."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.prompt import Prompt
from rich.table import Table

from adi.cli.log import LOG
from adi.cli.options import AsJson, Device
from adi.cli.screen import ERR
from adi.cli.show import number, plain_table, say, say_json

if TYPE_CHECKING:
    from adi.data.dataset import Dataset
    from adi.steps.quickstart import Quickstart

MODEL = "adi-se"

ROLES = ("user", "item", "domain", "time")
"""Columns that are asked for where the guess fails."""


def quickstart(
    tables: Annotated[list[str], typer.Argument(help="The log, then tables of users and items: files or folders.")],
    out: Annotated[Path, typer.Option("--out", help="Folder to write: new, or of an earlier call, which goes on.")] = (
        Path("quickstart")
    ),
    user: Annotated[str | None, typer.Option(help="The log's column of the user.", show_default="guessed")] = None,
    item: Annotated[str | None, typer.Option(help="The log's column of the item.", show_default="guessed")] = None,
    domain: Annotated[str | None, typer.Option(help="The log's column of the domain.", show_default="guessed")] = None,
    time: Annotated[str | None, typer.Option(help="The log's column of the time.", show_default="guessed")] = None,
    positive: Annotated[
        str | None, typer.Option(help="Rows that count, as in event = 'buy'.", show_default="as guessed, else all")
    ] = None,
    model: Annotated[str, typer.Option(help="The model to train beside the baselines.")] = MODEL,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="One setting of the model, as in epochs=3; repeatable.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the model.")] = 0,
    device: Device = "cpu",
    memory: Annotated[str, typer.Option(help="Bound for the memory of preparing the tables.")] = "2GB",
    serve: Annotated[bool, typer.Option("--serve", help="Serve the bundle at the end, on 127.0.0.1.")] = False,
    port: Annotated[int, typer.Option(help="Where to serve; 0 for any free port.")] = 8000,
    as_json: AsJson = False,
) -> None:
    """From tables to a comparison of models, a report and a bundle to serve, with the defaults of every step.

    Columns that cannot be guessed are asked for in a terminal. The same command goes on after an interruption.

    Example: [bold]adi quickstart clicks.csv users.csv items.csv --out first[/]
    """
    from adi.cli.settings import given_settings
    from adi.steps.tables import prepare_tables

    tell = LOG.message if as_json or LOG.json or LOG.quiet else say
    shows_bars = not (LOG.json or LOG.quiet)
    columns: dict[str, str | None] = {"user": user, "item": item, "domain": domain, "time": time, "positive": positive}
    given = given_settings(None, settings or [], [model])
    if given or model != MODEL:
        from adi.steps.quickstart import check_settings

        check_settings(model, given)
    dataset = _asking(
        lambda: prepare_tables(tables, out, columns, memory=memory, say=tell, progress=shows_bars), columns
    )
    from adi.steps.quickstart import compare_models

    made = compare_models(
        dataset, out, model=model, settings=given, seed=seed, device=device, say=tell, progress=shows_bars
    )
    if as_json:
        say_json(_as_json(made))
    else:
        _say(made)
    if serve and made.bundle is not None:
        from adi.cli.serve import serve as serve_bundle

        serve_bundle(str(made.bundle), port=port)
    elif made.bundle is not None:
        tell(f"Next: adi serve {made.bundle}, and open http://127.0.0.1:8000.")


def _asking(start: Callable[[], "Dataset"], roles: dict[str, str | None]) -> "Dataset":
    """Start, and start again with a column that was asked for, where it cannot be guessed and somebody can answer."""
    from adi.errors import ArgumentError

    while True:
        try:
            return start()
        except ArgumentError as error:
            if error.parameter not in ROLES or roles[error.parameter] is not None or not sys.stdin.isatty():
                raise
            say(error.message)
            roles[error.parameter] = Prompt.ask(f"Column of the {error.parameter}", console=ERR)


def _say(made: "Quickstart") -> None:
    """Print the recall of each model by domain, and what is significant."""
    say(_recalls(made))
    comparison = made.comparison
    if comparison is not None:
        for model in comparison.subjects:
            say(f"In words, against {comparison.baseline}: {comparison.summary(model)}.")
    say(f"Report: {made.report}, a page for the browser.")


def _recalls(made: "Quickstart") -> Table:
    from adi.runs.groups import group_runs
    from adi.runs.run import read_runs

    groups = group_runs(read_runs(made.runs))
    measure = groups[0].runs[0].metrics.default_measure
    table = plain_table(f"{measure} on the test rows", "model")
    for name in (*groups[0].domains, "mean"):
        table.add_column(name, justify="right")
    for group in groups:
        by_domain = [group.measure(measure, domain=domain).mean for domain in groups[0].domains]
        table.add_row(group.label, *(number(value) for value in (*by_domain, group.measure(measure).mean)))
    return table


def _as_json(made: "Quickstart") -> dict[str, Any]:
    from dataclasses import asdict

    paths = {"schema": made.schema, "prepared": made.prepared, "report": made.report, "bundle": made.bundle}
    return {
        **{name: None if path is None else str(path) for name, path in paths.items()},
        "runs": [str(run) for run in made.runs],
        "comparison": None if made.comparison is None else asdict(made.comparison),
    }
