"""`adi bench train`: samples a second in training, beside the bare work of a step and beside other libraries."""

import tempfile
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from adi.bench.report import Report, Value
from adi.bench.timing import Times, in_turns
from adi.bench.train.market import LogSize, prepare_log
from adi.bench.train.rows import write_rows
from adi.bench.train.synthetic import NETWORKS
from adi.bench.train.workers import Worker, check_python, own_command, peer_command, started
from adi.data.dataset import Dataset
from adi.errors import AdiError
from adi.training.device import device_named

Tell = Callable[[str], None]
OWN = {"adi-se": ("adi-se", False), "dnn": ("dnn", False), "adi-se, masked": ("adi-se", True)}
"""Name of a way to the model, and whether its backbone is a masked one."""
COMPARED = ("adi-se", "dnn")
"""These take turns with each peer, one peer after the other: all at once would need more memory than a laptop has."""


@dataclass(frozen=True)
class Peers:
    """The interpreters of environments that have other libraries; None: without them."""

    rechub: Path | None = None
    libreco: Path | None = None

    def check(self) -> None:
        """Raises `AdiError` for one that has not what it is said to have."""
        if self.rechub is not None:
            check_python(self.rechub, "torch_rechub", "--rechub")
        if self.libreco is not None:
            check_python(self.libreco, "libreco", "--libreco")

    def commands(self, rows: Path, batch_size: int, threads: int, device: str) -> dict[str, list[str]]:
        """What starts each way of each that there is."""
        ways = {}
        if self.rechub is not None:
            ways["torch-rechub YouTubeDNN"] = self.rechub, "rechub", "youtubednn"
            ways["torch-rechub DSSM"] = self.rechub, "rechub", "dssm"
        if self.libreco is not None:
            ways["LibRecommender TwoTower"] = self.libreco, "libreco", ""
        return {name: peer_command(*way, rows, batch_size, threads, device) for name, way in ways.items()}


def bench_train(
    prepared: Path | None,
    *,
    size: LogSize | None = None,
    peers: Peers = Peers(),
    batch_size: int = 4096,
    uniform: int = 0,
    threads: int = 1,
    rounds: int = 5,
    steps: int = 5,
    device: str = "cpu",
    tell: Tell = lambda text: None,
) -> Report:
    """Measure it on a prepared dataset, or where there is none on a simulated log of a size.

    All have embeddings of 64, networks of 256-128-64, the same rows and batch size, and the domain as a feature. Those
    of adi take the other positives of the batch in the domain as negatives, and `uniform` more for each domain. On a
    GPU, LibRecommender is refused: the TensorFlow that it needs here is one for CPUs.
    """
    if device_named(device).type != "cpu" and peers.libreco is not None:
        raise AdiError(f"--libreco: its environment has a TensorFlow for CPUs. Leave it out with --device {device}.")
    peers.check()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="adi-bench-")))
        if prepared is None:
            tell("simulating and preparing a log")
            prepared = prepare_log(folder, size or LogSize())
        if sum(own.train for own in Dataset(prepared).manifest.by_domain.values()) < batch_size:
            raise AdiError(
                f"{prepared}: fewer training rows than a batch of {batch_size:,}. Give a smaller --batch-size."
            )
        rows = folder / "rows.npz"
        write_rows(prepared, rows)
        training = {"batch_size": batch_size, "uniform": uniform}
        workers: dict[str, Worker] = {}
        for name, (model, as_masked) in OWN.items():
            tell(f"starting {name}")
            command = own_command(prepared, model, as_masked, training, threads, device)
            workers[name] = stack.enter_context(started(name, command, threads))
        works = {name: worker.calls("steps", steps) for name, worker in workers.items()}
        bare = {f"{name}, bare": workers[name].calls("limit", steps) for name in COMPARED}
        tell("measuring")
        times = in_turns(works | bare, rounds=rounds, calls=1)
        peaks = {name: worker.peak_mb() for name, worker in workers.items()}
        table = [_row(name, own, steps, batch_size, peaks.get(name)) for name, own in times.items()]
        found: dict[str, Value] = {f"{name}_by_bare": _ratio(times, name, f"{name}, bare") for name in COMPARED}
        compared = {name: works[name] for name in COMPARED}
        for name, command in peers.commands(rows, batch_size, threads, device).items():
            tell(f"starting {name}")
            with started(name, command, threads) as peer:
                tell("measuring")
                turns = in_turns({name: peer.calls("steps", steps)} | compared, rounds=rounds, calls=1)
                peak = peer.peak_mb()
            table.append(_row(name, turns[name], steps, batch_size, peak))
            found |= {f"{own}_by_{name}": _ratio(turns, own, name) for own in COMPARED}
    networks = "-".join(str(own) for own in NETWORKS)
    settings = {
        "batch_size": batch_size, "uniform": uniform, "networks": networks, "threads": threads, "rounds": rounds,
        "steps": steps, "device": device,
    }  # fmt: skip
    return Report("train", settings, table, found)


def _ratio(times: Mapping[str, Times], one: str, other: str) -> float:
    """How many times as much the one does as the other in a second."""
    return round(times[one].per_second() / times[other].per_second(), 2)


def _row(name: str, times: Times, steps: int, batch_size: int, peak_mb: float | None) -> dict[str, Value]:
    least, most = times.spread_ms(50)
    return {
        "way": name,
        "per_second": round(batch_size * steps * times.per_second()),
        "step_ms": round(times.percentile_ms(50) / steps, 1),
        "step_least": round(least / steps, 1),
        "step_most": round(most / steps, 1),
        "peak_mb": peak_mb,
    }
