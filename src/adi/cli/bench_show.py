"""What the commands of `adi bench` share: options, lists of sizes, and how a report is shown."""

import re
from typing import TYPE_CHECKING, Annotated

import typer

from adi.cli.show import ERR, plain_table, say, say_json
from adi.errors import AdiError

if TYPE_CHECKING:
    from adi.bench.report import Report, Value

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
Rounds = Annotated[int, typer.Option(min=1, help="Rounds that the ways take turns for.")]
Threads = Annotated[int, typer.Option(min=1, help="Threads of torch, for every way.")]


def whole_numbers(option: str, text: str, example: str, least: int) -> list[int]:
    """Whole numbers of at least `least`; raises `AdiError` for anything else."""
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isascii() and part.isdecimal() and int(part) >= least for part in parts):
        raise AdiError(f"{option}: '{text}' is not of the form {example}, in whole numbers of at least {least:,}.")
    return [int(part) for part in parts]


def pairs(option: str, text: str, example: str) -> list[tuple[int, int]]:
    """Pairs of whole numbers of at least 1; raises `AdiError` for anything else."""
    found = [re.fullmatch(r"\s*([1-9][0-9]*)x([1-9][0-9]*)\s*", part) for part in text.split(",")]
    if None in found:
        raise AdiError(f"{option}: '{text}' is not of the form {example}, in whole numbers of at least 1.")
    return [(int(pair[1]), int(pair[2])) for pair in found if pair is not None]


def tell(text: str) -> None:
    ERR.print(f"{text} ...")


def show(report: "Report", as_json: bool) -> None:
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
