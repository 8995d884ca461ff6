"""The command bench: what adi takes, measured beside what it could take at best and beside other ways."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from adi.cli.show import ERR, plain_table, say, say_json

if TYPE_CHECKING:
    from adi.bench.report import Report, Value

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]

app = typer.Typer(
    no_args_is_help=True,
    help="Measure adi, beside what bounds it and other ways.\n\nExample: [bold]adi bench serve --folder market[/]",
)


@app.command()
def serve(
    folder: Annotated[Path, typer.Option(help="Keeps the bundle, of 1 GB by default, for the next call.")],
    items: Annotated[int, typer.Option(min=1000, help="Items in each domain.")] = 2_240_000,
    domains: Annotated[int, typer.Option(min=1, help="Domains.")] = 3,
    dim: Annotated[int, typer.Option(min=2, help="Size of the vectors.")] = 64,
    k: Annotated[int, typer.Option("-k", min=1, max=1000, help="Items of each request.")] = 500,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds that the ways take turns for.")] = 5,
    calls: Annotated[int, typer.Option(min=1, help="Requests of each round.")] = 256,
    as_json: AsJson = False,
) -> None:
    """A simulated market as large as the paper's, served over HTTP: time, recall and memory, beside faiss alone.

    Example: [bold]adi bench serve --folder market --items 200000[/]
    """
    from adi.bench.serve.market import MarketSize
    from adi.bench.serve.measure import bench_serve

    size = MarketSize(items=items, domains=domains, dim=dim)
    _show(bench_serve(folder, size, k=k, rounds=rounds, calls=calls, tell=_tell), as_json)


def _tell(text: str) -> None:
    ERR.print(f"{text} ...")


def _show(report: "Report", as_json: bool) -> None:
    if as_json:
        say_json(report.as_json())
        return
    first, *others = report.rows[0]
    table = plain_table(None, first.replace("_", " "))
    for column in others:
        table.add_column(column.replace("_", " "), justify="right")
    for row in report.rows:
        table.add_row(*(_text(value) for value in row.values()))
    say(table)
    for name, value in report.found.items():
        say(f"{name.replace('_', ' ')}: {_text(value)}")


def _text(value: "Value") -> str:
    if value is None:
        return "–"
    return f"{value:,}" if isinstance(value, int | float) else value
