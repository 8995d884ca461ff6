"""Speed of a training in one process and in several, and where the time of a step goes."""

import json
import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import typer

from adi.errors import AdiError
from benchmarks.options import AsJson, BatchSize
from benchmarks.report import Report, Row, announce, show
from benchmarks.training.processes import ENVIRONMENT, THREAD_VARIABLES

WAYS = {
    "1 process": (1, 1, "auto"),
    "1 process, 2 threads": (1, 2, "auto"),
    "2 processes, row_wise": (2, 1, "row_wise"),
    "2 processes, table_wise": (2, 1, "table_wise"),
}
"""Processes, threads of each and sharding."""

PARTS = ("lookups", "candidates", "gradients", "updates")


def scale(
    rows: Annotated[int, typer.Option(min=1000, help="Rows of all tables together.")] = 20_000_000,
    batch_size: BatchSize = 8192,
    model: Annotated[str, typer.Option(help="A model of adi.")] = "adi-se",
    rounds: Annotated[int, typer.Option(min=1, help="Times that each way is started, in turns.")] = 3,
    steps: Annotated[int, typer.Option(min=1, help="Steps that are measured each time.")] = 10,
    as_json: AsJson = False,
) -> None:
    """Samples a second of a training in one process and in two, by how they divide the embedding tables.

    Example: [bold]python -m benchmarks scale --rows 2000000[/]
    """
    results: dict[str, list[dict[str, Any]]] = {way: [] for way in WAYS}
    for number in range(rounds):
        for way in WAYS:
            announce(f"round {number + 1}: {way}")
            results[way].append(_run(way, rows, batch_size, model, steps))
    table = [_row(way, times, batch_size) for way, times in results.items()]
    settings = {"rows": rows, "samples": batch_size, "model": model, "rounds": rounds, "steps": steps}
    steps_ms = {way: min(each["step"] for each in times) for way, times in results.items()}
    one, *_, row_wise, table_wise = steps_ms.values()
    show(Report("scale", settings, table, {"two_processes_by_one": round(one / min(row_wise, table_wise), 2)}), as_json)


def _row(way: str, times: list[dict[str, Any]], samples: int) -> Row:
    """The fastest of several starts, since others were disturbed."""
    best = min(times, key=lambda each: float(each["step"]))
    parts: Row = {f"{part}_ms": best.get(part) for part in PARTS}
    return {
        "way": way,
        "samples_s": round(1000 * samples / best["step"]),
        "step_ms": best["step"],
        "slowest_ms": max(each["step"] for each in times),
        **parts,
        "peak_mb": best["peak_mb"],
    }


def _run(way: str, rows: int, samples: int, model: str, steps: int) -> dict[str, Any]:
    count, threads, sharding = WAYS[way]
    return run_worker(count, threads, rows=rows, samples=samples, model=model, sharding=sharding, steps=steps)


def run_worker(count: int, threads: int, **work: Any) -> dict[str, Any]:
    """Run `scale_worker.work` in `count` processes; returns the measurements of the first.

    Raises `AdiError` where a process fails.
    """
    environment = {**os.environ, **ENVIRONMENT, **dict.fromkeys(THREAD_VARIABLES, str(threads))}
    with TemporaryDirectory() as folder:
        arguments = {**work, "threads": threads, "out": str(Path(folder) / "found.json")}
        command = [sys.executable, "-m"]
        if count > 1:
            command += ["torch.distributed.run", "--standalone", f"--nproc-per-node={count}", "-m"]
        command += ["benchmarks.training.scale_worker", json.dumps(arguments)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        if done.returncode:
            raise AdiError(f"{count} processes: one failed:\n{done.stderr[-2000:]}")
        result: dict[str, Any] = json.loads((Path(folder) / "found.json").read_text(encoding="utf-8"))
        return result
