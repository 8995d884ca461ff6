"""The command bench: what adi takes, measured beside what it could take at best and beside other ways."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from adi.cli.show import ERR, plain_table, say, say_json
from adi.errors import AdiError

if TYPE_CHECKING:
    from adi.bench.report import Report, Value

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
Rounds = Annotated[int, typer.Option(min=1, help="Rounds that the ways take turns for.")]
Threads = Annotated[int, typer.Option(min=1, help="Threads of torch, for every way.")]

LEAST_ROWS = 1000
SIZES = "512x1536,2048x3072,4096x16384"

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
    rounds: Rounds = 5,
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


@app.command()
def prepare(
    rows: Annotated[str, typer.Option(help="Rows of the log; several sizes as in 1000000,10000000.")] = "1000000",
    folder: Annotated[
        Path | None, typer.Option(help="Keeps the logs for the next call.", show_default="a temporary one")
    ] = None,
    alone: Annotated[
        bool, typer.Option("--alone", help="Measure adi prepare alone, without pandas and DuckDB.")
    ] = False,
    memory: Annotated[str, typer.Option(help="Memory of the engine, in adi prepare and in DuckDB alone.")] = "2GB",
    threads: Annotated[
        int | None, typer.Option(min=1, help="Cores that each process may use.", show_default="all")
    ] = None,
    rounds: Rounds = 3,
    as_json: AsJson = False,
) -> None:
    """A simulated log with ten features, prepared: rows a second and memory, beside pandas and DuckDB's sort alone.

    Example: [bold]adi bench prepare --rows 1000000,10000000 --folder logs[/]
    """
    from adi.bench.prepare.log import LogSize
    from adi.bench.prepare.measure import bench_prepare

    sizes = [LogSize(rows=size) for size in _sizes("--rows", rows, "1000000,10000000", LEAST_ROWS)]
    report = bench_prepare(sizes, folder, alone=alone, memory=memory, threads=threads, rounds=rounds, tell=_tell)
    _show(report, as_json)


@app.command()
def evaluate(
    items: Annotated[int, typer.Option(min=1000, help="Items of the corpus.")] = 500_000,
    users: Annotated[int, typer.Option(min=1, help="Users to rank them for.")] = 4096,
    dim: Annotated[int, typer.Option(min=2, help="Size of the vectors.")] = 64,
    threads: Threads = 1,
    rounds: Rounds = 3,
    as_json: AsJson = False,
) -> None:
    """The exact ranking of a whole corpus: users a second, beside the product of the vectors and a top 100 alone.

    Example: [bold]adi bench evaluate --items 100000[/]
    """
    from adi.bench.evaluate import CorpusSize, bench_evaluate

    size = CorpusSize(items=items, users=users, dim=dim)
    _show(bench_evaluate(size, threads=threads, rounds=rounds, tell=_tell), as_json)


@app.command()
def start(
    bundle: Annotated[
        Path | None, typer.Option(help="A bundle to open in a process.", show_default="none is opened")
    ] = None,
    rounds: Rounds = 10,
    as_json: AsJson = False,
) -> None:
    """How long a new process takes: to import adi, to show its help, to open a bundle, beside Python alone.

    Example: [bold]adi bench start --bundle bundle[/]
    """
    from adi.bench.start import bench_start

    _show(bench_start(bundle, rounds=rounds, tell=_tell), as_json)


@app.command()
def loader(
    rows: Annotated[int, typer.Option(min=1000, help="Rows of the simulated log.")] = 300_000,
    batch_size: Annotated[int, typer.Option(min=1, help="Rows of a batch.")] = 4096,
    uniform: Annotated[
        int, typer.Option(min=0, help="Negatives from each domain's corpus, beside the batch's.")
    ] = 1000,
    batches: Annotated[int, typer.Option(min=1, help="Batches of each round.")] = 8,
    threads: Threads = 1,
    rounds: Rounds = 3,
    as_json: AsJson = False,
) -> None:
    """Training batches with histories and negatives: rows a second, beside a DataLoader that goes row by row.

    Example: [bold]adi bench loader --batch-size 1024[/]
    """
    from adi.bench.loader.measure import bench_loader

    report = bench_loader(
        rows=rows, batch_size=batch_size, uniform=uniform, batches=batches, threads=threads, rounds=rounds, tell=_tell
    )
    _show(report, as_json)


@app.command()
def loss(
    sizes: Annotated[str, typer.Option(help="Samples x candidates of a domain, several with commas.")] = SIZES,
    dim: Annotated[int, typer.Option(min=1, help="Size of the vectors.")] = 64,
    threads: Threads = 1,
    rounds: Rounds = 5,
    calls: Annotated[int, typer.Option(min=1, help="Calls of each round.")] = 3,
    as_json: AsJson = False,
) -> None:
    """Value and gradients of the sampled softmax: time and memory, beside the plain one with all logits at once.

    Example: [bold]adi bench loss --sizes 512x1536,4096x16384[/]
    """
    from adi.bench.loss import Sizes, bench_loss

    given = [Sizes(n, m, dim) for n, m in _pairs("--sizes", sizes, SIZES)]
    _show(bench_loss(given, threads=threads, rounds=rounds, calls=calls, tell=_tell), as_json)


def _sizes(option: str, text: str, example: str, least: int) -> list[int]:
    """Whole numbers of at least `least`; raises `AdiError` for anything else."""
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isascii() and part.isdecimal() and int(part) >= least for part in parts):
        raise AdiError(f"{option}: '{text}' is not of the form {example}, in whole numbers of at least {least:,}.")
    return [int(part) for part in parts]


def _pairs(option: str, text: str, example: str) -> list[tuple[int, int]]:
    """Pairs of whole numbers of at least 1; raises `AdiError` for anything else."""
    found = [re.fullmatch(r"\s*([1-9][0-9]*)x([1-9][0-9]*)\s*", part) for part in text.split(",")]
    if None in found:
        raise AdiError(f"{option}: '{text}' is not of the form {example}, in whole numbers of at least 1.")
    return [(int(pair[1]), int(pair[2])) for pair in found if pair is not None]


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
