"""The commands of `adi bench` about data: preparing it, loading batches of it, ranking with it."""

from pathlib import Path
from typing import Annotated

import typer

from adi.cli.bench_show import AsJson, Rounds, Threads, show, tell, whole_numbers

LEAST_ROWS = 1000


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

    sizes = [LogSize(rows=size) for size in whole_numbers("--rows", rows, "1000000,10000000", LEAST_ROWS)]
    report = bench_prepare(sizes, folder, alone=alone, memory=memory, threads=threads, rounds=rounds, tell=tell)
    show(report, as_json)


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
        rows=rows, batch_size=batch_size, uniform=uniform, batches=batches, threads=threads, rounds=rounds, tell=tell
    )
    show(report, as_json)


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
    show(bench_evaluate(size, threads=threads, rounds=rounds, tell=tell), as_json)
