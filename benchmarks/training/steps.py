"""Time of a training step as the number of domains grows, and as the embedding tables grow."""

from collections.abc import Sequence
from typing import Annotated

import typer

from adi.batch import Batch
from adi.machine import tune_allocator
from adi.training.step import Step
from benchmarks.options import AsJson, BatchSize, Device, Rounds, Steps, Threads, skip_without_gpu, whole_numbers
from benchmarks.report import Report, Row, announce, show
from benchmarks.timing import Task, Times, in_turns, torch_threads
from benchmarks.towers import ADI, DNN, NETWORKS
from benchmarks.training.synthetic import Synthetic

NUMBERS = "1,3,10,30,100,300"
TABLE_ROWS = "200000,2000000,20000000"
BASE_DOMAINS = 3
BATCHES = 4
"""Batches that take turns; they are made before, since making them is not what is measured."""
WARM_UP_STEPS = 2


def domains(
    numbers: Annotated[str, typer.Option(help="How many domains; several with commas.")] = NUMBERS,
    masked_up_to: Annotated[
        int, typer.Option(min=0, help="The most domains to measure with every network on all samples.")
    ] = 30,
    batch_size: BatchSize = 4096,
    threads: Threads = 1,
    rounds: Rounds = 5,
    calls: Steps = 5,
    device: Device = "cpu",
    as_json: AsJson = False,
) -> None:
    """Time of a training step by the number of domains, beside one network for all, and every network on all samples.

    Example: [bold]python -m benchmarks domains --numbers 3,30[/]
    """
    sizes = whole_numbers("numbers", numbers, NUMBERS, 1)
    if skip_without_gpu(device):
        return
    tune_allocator()
    tasks: dict[str, Task] = {}
    with torch_threads(threads):
        for size in sizes:
            announce(f"building {size} domains")
            data = Synthetic(domains=size, users=500_000, items=500_000, samples=batch_size)
            batches = [data.batch(number) for number in range(BATCHES)]
            tasks[f"{ADI} {size}"] = _task(data.step(ADI, device=device), batches)
            tasks[f"{DNN} {size}"] = _task(data.step(DNN, device=device), batches)
            if size <= masked_up_to:
                tasks[f"masked {size}"] = _task(data.step(ADI, masked=True, device=device), batches)
        announce("measuring")
        times = in_turns(tasks, rounds=rounds, calls=calls)
    rows: list[Row] = [
        {
            "domains": size,
            **_step_columns(times[f"{ADI} {size}"]),
            "one_network_ms": _median_ms(times[f"{DNN} {size}"]),
            "masked_ms": _median_ms(times[f"masked {size}"]) if size <= masked_up_to else None,
        }
        for size in sizes
    ]
    settings = _settings(batch_size, threads, rounds, calls, device)
    show(Report("domains", settings, rows, _growth(rows, "domains", BASE_DOMAINS)), as_json)


def tables(
    rows: Annotated[str, typer.Option(help="Rows of all tables together; several sizes with commas.")] = TABLE_ROWS,
    batch_size: BatchSize = 4096,
    threads: Threads = 1,
    rounds: Rounds = 5,
    calls: Steps = 5,
    device: Device = "cpu",
    as_json: AsJson = False,
) -> None:
    """Time of a training step in three domains by the rows of the embedding tables.

    Example: [bold]python -m benchmarks tables --rows 200000,2000000[/]
    """
    # Four fifths of the rows are users' and a fifth items'. Ids are drawn from all of them: with more rows fewer ids
    # repeat in a batch, and fewer of their rows are in a cache.
    sizes = whole_numbers("rows", rows, TABLE_ROWS, 1000)
    if skip_without_gpu(device):
        return
    tune_allocator()
    tasks: dict[str, Task] = {}
    with torch_threads(threads):
        for size in sizes:
            announce(f"building tables of {size:,} rows")
            data = Synthetic(users=size * 4 // 5, items=size // 5, samples=batch_size)
            tasks[str(size)] = _task(data.step(ADI, device=device), [data.batch(number) for number in range(BATCHES)])
        announce("measuring")
        times = in_turns(tasks, rounds=rounds, calls=calls)
    table: list[Row] = [{"rows": size, **_step_columns(times[str(size)])} for size in sizes]
    settings = _settings(batch_size, threads, rounds, calls, device)
    show(Report("tables", settings, table, _growth(table, "rows", sizes[0])), as_json)


def _task(step: Step, batches: Sequence[Batch]) -> Task:
    """A step on the next batch, after some that are not measured."""

    def task(call: int) -> object:
        return float(step(batches[call % len(batches)]))

    for call in range(WARM_UP_STEPS):
        task(call)
    return task


def _step_columns(times: Times) -> Row:
    least, most = times.spread_ms(50)
    return {"step_ms": _median_ms(times), "step_least": round(least, 1), "step_most": round(most, 1)}


def _median_ms(times: Times) -> float:
    return round(times.percentile_ms(50), 1)


def _growth(rows: Sequence[Row], column: str, base: int) -> Row:
    """The time of each step divided by the time at size `base`; empty where that size was not measured."""
    step_ms = {row[column]: row["step_ms"] for row in rows}
    base_ms = step_ms.get(base)
    if not isinstance(base_ms, float):
        return {}
    return {
        f"step_at_{size}_by_{base}": round(size_ms / base_ms, 2)
        for size, size_ms in step_ms.items()
        if isinstance(size_ms, float) and size != base
    }


def _settings(samples: int, threads: int, rounds: int, calls: int, device: str) -> Row:
    networks = "-".join(str(width) for width in NETWORKS)
    return {
        "samples": samples, "networks": networks, "threads": threads, "rounds": rounds, "calls": calls,
        "device": device,
    }  # fmt: skip
