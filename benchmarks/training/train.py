"""Samples per second in training, beside the bare operations of a step and beside other libraries.

All have embeddings of 64 numbers, networks of 256-128-64, the same rows and batch size, and the domain as a feature.
Models of adi take the other positives of the batch in the domain as negatives, and more from the domain's corpus where
``--uniform`` says so.
"""

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from adi.data.dataset import Dataset
from adi.errors import AdiError, ArgumentError
from adi.training.device import device_named
from benchmarks.options import AsJson, BatchSize, Device, Rounds, Steps, Threads, Uniform, skip_without_gpu
from benchmarks.report import Report, Row, announce, show
from benchmarks.timing import Times, in_turns
from benchmarks.towers import ADI, DNN, NETWORKS
from benchmarks.training.log import prepare_log, write_arrays
from benchmarks.training.processes import adi_command, check_python, peer_command, worker

TRAININGS = {ADI: (ADI, False), DNN: (DNN, False), f"{ADI}, masked": (ADI, True)}
"""The model of each training of adi, and whether its backbones are masked ones."""

COMPARED = (ADI, DNN)
"""These take turns with one other library after the other: all at once would need more memory than a laptop has."""


def train(
    prepared: Annotated[
        Path | None, typer.Option(help="A prepared dataset.", show_default="a simulated log of the sizes below")
    ] = None,
    users: Annotated[int, typer.Option(min=1000, help="Users of the simulated log.")] = 2_000_000,
    items: Annotated[int, typer.Option(min=1000, help="Its items.")] = 500_000,
    rows: Annotated[int, typer.Option(min=1000, help="Its rows.")] = 4_000_000,
    rechub: Annotated[
        Path | None, typer.Option(help="A Python that has torch-rechub.", show_default="without it")
    ] = None,
    libreco: Annotated[
        Path | None, typer.Option(help="A Python that has LibRecommender.", show_default="without it")
    ] = None,
    batch_size: BatchSize = 4096,
    uniform: Uniform = 0,
    threads: Threads = 1,
    rounds: Rounds = 3,
    steps: Steps = 20,
    device: Device = "cpu",
    as_json: AsJson = False,
) -> None:
    """Samples per second in training, beside the bare products and lookups of a step, and beside other libraries.

    Example: [bold]python -m benchmarks train --prepared prepared[/]
    """
    if skip_without_gpu(device):
        return
    peers = _peers(rechub, libreco, device)
    with TemporaryDirectory(prefix="adi-benchmarks-") as name:
        folder = Path(name)
        if prepared is None:
            announce("simulating and preparing a log")
            prepared = prepare_log(folder, users=users, items=items, rows=rows)
        dataset, arrays = Dataset(prepared), folder / "rows.npz"
        if sum(counts.train for counts in dataset.manifest.by_domain.values()) < batch_size:
            raise AdiError(
                f"{prepared}: fewer training rows than a batch of {batch_size:,}. Give a smaller --batch-size."
            )
        write_arrays(dataset, arrays)
        training = {"batch_size": batch_size, "uniform": uniform}
        commands = {
            name: adi_command(prepared, model, masked=masked, training=training, threads=threads, device=device)
            for name, (model, masked) in TRAININGS.items()
        }
        peer_commands = {name: peer_command(*peer, arrays, batch_size, threads, device) for name, peer in peers.items()}
        times, peaks, summary = _measure(commands, peer_commands, threads=threads, rounds=rounds, steps=steps)
    table = [_row(name, times[name], steps, batch_size, peaks.get(name)) for name in times]
    settings = {
        **training, "networks": "-".join(str(width) for width in NETWORKS), "threads": threads, "rounds": rounds,
        "steps": steps, "device": device,
    }  # fmt: skip
    show(Report("train", settings, table, summary), as_json)


def _peers(rechub: Path | None, libreco: Path | None, device: str) -> dict[str, tuple[Path, str, str]]:
    """Interpreter, script and kind of each training by another library.

    Raises `ArgumentError` for an interpreter that does not import the library, and for LibRecommender on a GPU.
    """
    peers = {}
    if rechub is not None:
        check_python("rechub", rechub, "torch_rechub")
        peers["torch-rechub YouTubeDNN"] = rechub, "rechub", "youtubednn"
        peers["torch-rechub DSSM"] = rechub, "rechub", "dssm"
    if libreco is not None:
        if device_named(device).type != "cpu":
            raise ArgumentError("libreco", f"its TensorFlow is one for CPUs. Leave it out with --device {device}.")
        check_python("libreco", libreco, "libreco")
        peers["LibRecommender TwoTower"] = libreco, "libreco", ""
    return peers


def _measure(
    commands: Mapping[str, list[str]],
    peer_commands: Mapping[str, list[str]],
    *,
    threads: int,
    rounds: int,
    steps: int,
) -> tuple[dict[str, Times], dict[str, float | None], Row]:
    """Times of `steps` steps by row of the table, peaks of memory in MB, and ratios of speed."""
    with ExitStack() as stack:
        workers = {name: stack.enter_context(worker(name, command, threads)) for name, command in commands.items()}
        step_tasks = {name: training.task("steps", steps) for name, training in workers.items()}
        bare_tasks = {_bare(name): workers[name].task("limit", steps) for name in COMPARED}
        announce("measuring")
        times = in_turns(step_tasks | bare_tasks, rounds=rounds, calls=1)
        peaks = {name: training.peak_mb() for name, training in workers.items()}
        summary: Row = {f"{name}_by_bare": _ratio(times, name, _bare(name)) for name in COMPARED}
        for name, command in peer_commands.items():
            with worker(name, command, threads) as peer:
                announce("measuring")
                tasks = {name: peer.task("steps", steps)} | {adi: step_tasks[adi] for adi in COMPARED}
                turns = in_turns(tasks, rounds=rounds, calls=1)
                times[name], peaks[name] = turns[name], peer.peak_mb()
            summary |= {f"{adi}_by_{name}": _ratio(turns, adi, name) for adi in COMPARED}
    return times, peaks, summary


def _bare(name: str) -> str:
    return f"{name}, bare"


def _ratio(times: Mapping[str, Times], name: str, other: str) -> float:
    """The speed of a training divided by that of another."""
    return round(times[name].per_second() / times[other].per_second(), 2)


def _row(name: str, times: Times, steps: int, batch_size: int, peak_mb: float | None) -> Row:
    least, most = times.spread_ms(50)
    return {
        "way": name,
        "per_second": round(batch_size * steps * times.per_second()),
        "step_ms": round(times.percentile_ms(50) / steps, 1),
        "step_least": round(least / steps, 1),
        "step_most": round(most / steps, 1),
        "peak_mb": peak_mb,
    }
