"""Training batches per second, beside a DataLoader that gathers the same batches row by row.

Histories, features, negatives and masks are those of a training, on a simulated marketplace. Both loaders run in this
process alone.
"""

from collections import deque
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from adi.data.dataset import Dataset
from adi.errors import ArgumentError
from adi.marketplace.settings import Marketplace
from adi.marketplace.simulation import simulate
from adi.preparation.prepare import prepare
from adi.training.loader import Loader, negative_sampler
from benchmarks.options import AsJson, Rounds, Threads, Uniform
from benchmarks.report import Report, Row, announce, show
from benchmarks.row_wise import row_wise_batches
from benchmarks.timing import Task, Times, in_turns, torch_threads

ADI, ROW_WISE = "adi, whole batches", "torch DataLoader, row by row"


def loader(
    rows: Annotated[int, typer.Option(min=1000, help="Rows of the simulated log.")] = 300_000,
    batch_size: Annotated[int, typer.Option(min=1, help="Rows of a batch.")] = 4096,
    uniform: Uniform = 1000,
    batches: Annotated[int, typer.Option(min=1, help="Batches in each round, the first of an epoch.")] = 8,
    threads: Threads = 1,
    rounds: Rounds = 3,
    as_json: AsJson = False,
) -> None:
    """Rows per second in training batches with histories and negatives, beside a DataLoader that goes row by row.

    Example: [bold]python -m benchmarks loader --batch-size 1024[/]
    """
    _check(batches, batch_size, rows)  # before any work; how many of them are training rows is known after it
    with TemporaryDirectory() as folder:
        batch_loader = _loader_of_simulation(Path(folder), rows, batch_size, uniform)
        _check(batches, batch_size, batch_loader.num_samples)
        tasks: dict[str, Task] = {
            ADI: lambda call: _exhaust(islice(batch_loader.epoch(call), batches)),
            ROW_WISE: lambda call: _exhaust(row_wise_batches(batch_loader, call, batches)),
        }
        announce("loading")
        with torch_threads(threads):
            in_turns(tasks, rounds=1, calls=1)  # reads the arrays from disk
            times = in_turns(tasks, rounds=rounds, calls=1)
    loaded = min(batches * batch_size, batch_loader.num_samples)
    settings = {
        "rows": rows, "batch_size": batch_size, "uniform": uniform, "batches": batches, "threads": threads,
        "rounds": rounds,
    }  # fmt: skip
    summary: Row = {"rate_by_row_wise": round(times[ADI].per_second() / times[ROW_WISE].per_second(), 1)}
    show(Report("loader", settings, [_row(name, times[name], loaded) for name in tasks], summary), as_json)


def _exhaust(batches: Iterable[object]) -> None:
    deque(batches, maxlen=0)


def _check(batches: int, batch_size: int, rows: int) -> None:
    if (batches - 1) * batch_size >= rows:
        raise ArgumentError(
            "batches", f"{batches} of {batch_size} rows, and an epoch has {rows} rows. Ask for fewer, or raise --rows."
        )


def _loader_of_simulation(folder: Path, rows: int, batch_size: int, uniform: int) -> Loader:
    announce(f"simulating {rows:,} rows")
    simulate(folder / "tables", Marketplace(users=max(2, rows // 15), items=max(200, rows // 60), interactions=rows))
    announce("preparing them")
    prepare(folder / "tables", folder / "prepared")
    dataset = Dataset(folder / "prepared")
    return Loader(dataset, batch_size=batch_size, sampler=negative_sampler(dataset, in_batch=True, uniform=uniform))


def _row(name: str, times: Times, rows: int) -> Row:
    least, most = times.spread_per_second(rows)
    return {"way": name, "rows_per_second": round(times.per_second(rows)), "least": round(least), "most": round(most)}
