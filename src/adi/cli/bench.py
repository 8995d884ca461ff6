"""The command bench: what adi takes, measured beside what it could take at best and beside other ways."""

from pathlib import Path
from typing import Annotated

import typer

from adi.cli.bench_data import evaluate, loader, prepare
from adi.cli.bench_show import AsJson, Rounds, show, tell
from adi.cli.bench_training import domains, loss, tables, train

app = typer.Typer(
    no_args_is_help=True,
    help="Measure adi, beside what bounds it and other ways.\n\nExample: [bold]adi bench serve --folder market[/]",
)


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
    show(bench_serve(folder, size, k=k, rounds=rounds, calls=calls, tell=tell), as_json)


def swaps(
    folder: Annotated[Path, typer.Option(help="Keeps the two bundles for the next call.")],
    items: Annotated[int, typer.Option(min=1000, help="Items in each domain.")] = 20_000,
    seconds: Annotated[float, typer.Option(min=1, help="How long clients ask.")] = 60,
    number: Annotated[int, typer.Option("--swaps", min=1, help="Bundles that go live meanwhile.")] = 10,
    as_json: AsJson = False,
) -> None:
    """Bundles go live one after the other, and a bad one is refused, while clients ask: faults, time and memory.

    Example: [bold]adi bench swaps --folder markets[/]
    """
    from adi.bench.serve.swaps import bench_swaps

    show(bench_swaps(folder, items=items, seconds=seconds, swaps=number, tell=tell), as_json)


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

    show(bench_start(bundle, rounds=rounds, tell=tell), as_json)


for command in (train, domains, tables, loss, prepare, loader, evaluate, serve, swaps, start):
    app.command()(command)
