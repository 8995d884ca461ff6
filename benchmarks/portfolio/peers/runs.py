"""Runs of peers: each is trained and ranked by a process of its Python, and measured by adi's evaluation."""

import json
import os
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from adi.data.dataset import Dataset
from adi.data.sealed import files_in
from adi.errors import AdiError
from adi.evaluation.evaluate import measured
from adi.evaluation.ranking import Rankings, grouping_numbers, history_numbers
from adi.grid.cells import Cell, GridObserver
from adi.grid.folder import GridFolder
from adi.grid.run import run_cells
from adi.grid.versions import Version
from adi.metrics import METRICS
from adi.runs.info import FILE as INFO
from adi.runs.info import ModelSource, RunInfo, read_info, write_info
from adi.runs.lists import QueryLists
from adi.runs.metrics import Metrics, write_metrics
from adi.runs.ranks import write_ranks
from adi.runs.run import open_dataset_of
from adi.training.loop import Observer
from benchmarks.portfolio.peers.exchange import write_data
from benchmarks.portfolio.peers.rows import PROCESS, peers_code
from benchmarks.portfolio.results import KS

ROOT = Path(__file__).parents[3]
RESULT, LOG = "result.npz", "peer.log"


def run_peers(
    folder: GridFolder, version: Version, cells: Sequence[Cell], observer: GridObserver, *, jobs: int, python: Path
) -> dict[str, str]:
    """Run the peers that are not finished, by the Python of their environment; returns the errors of failed ones."""
    version, train = replace(version, code=peers_code()), partial(train_peer, python=python)
    return run_cells(folder, version, cells, observer, train=train, evaluate=evaluate_peer, jobs=jobs, device="cpu")


def train_peer(folder: GridFolder, cell: Cell, observer: Observer, device: str, *, python: Path) -> None:
    """Tune and train a peer in a process of `python`, into ``result.npz`` and ``run.json`` of the cell's run.

    Raises `AdiError` with the last line that the process wrote where it fails; ``peer.log`` has the others.
    """
    run = folder.run(cell)
    if (run / INFO).exists() and read_info(run).status == "complete":
        return
    run.mkdir(parents=True, exist_ok=True)
    dataset = Dataset(folder.prepared(cell.dataset))
    with TemporaryDirectory(prefix="adi-peers-") as name:
        data = Path(name) / "data.npz"
        write_data(dataset, data, ks=KS)
        peer: dict[str, Any] = cell.config["peer"]
        scope = "domain" if peer["by_domain"] else "all"
        _run([str(python), "-m", PROCESS, peer["path"], str(data), str(run / RESULT), scope, str(cell.seed)], run / LOG)
    report = _report(run)
    write_info(
        run,
        RunInfo(
            model=cell.model,
            source=ModelSource(path=None, digest=None),
            seed=cell.seed,
            status="complete",
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            domains=dataset.domains,
            prepared=os.path.relpath(dataset.folder.resolve(), run.resolve()),
            fingerprint=dataset.manifest.fingerprint,
            parameters=report["parameters"],
            refit=True,
            versions=report["versions"],
            files=files_in(run, ["run.json"]),
            config={"peer": peer, "model": report["chosen"]["settings"], "epochs": report["chosen"]["epochs"]},
        ),
    )


def evaluate_peer(run: Path, cell: Cell) -> Metrics:
    """Measure the ranks of a trained peer, into ``ranks.parquet`` and ``metrics.json`` of its run."""
    info = read_info(run)
    dataset = open_dataset_of(run, info)
    with np.load(run / RESULT) as stored:
        ranks, covered = stored["ranks"], stored["covered"]
    rows = dataset.rows("test")
    domains = dataset.targets("test", rows)[2]
    if ranks.shape != rows.shape:
        raise AdiError(f"{run / RESULT}: {len(ranks)} ranks of {len(rows)} test rows.")
    rankings: dict[str, Rankings] = {}
    for domain, name in enumerate(dataset.domains):
        in_domain = rows[domains == domain]
        users, targets, _ = dataset.targets("test", in_domain)
        of_history = history_numbers(dataset.queries("test", in_domain), targets)
        rankings[name] = Rankings(
            rows=in_domain,
            users=users,
            ranks=ranks[domains == domain],
            by=grouping_numbers(dataset, domain, targets, of_history),
            covered=dict(zip(KS, covered[domain].tolist(), strict=True)),
            num_items=len(dataset.corpora.retrievable(domain)),
            lists=QueryLists(rows[:0], np.empty((0, 0), dtype=np.int64)),  # a peer gives ranks alone
        )
    exclude_seen = not dataset.manifest.repeats
    metrics = measured(rankings, dataset, ks=KS, metrics=tuple(METRICS.values()), exclude_seen=exclude_seen)
    metrics = metrics.model_copy(update={"model": info.model, "ranks": write_ranks(run, rankings)})
    write_metrics(run, metrics)
    return metrics


def _run(command: Sequence[str], log: Path) -> None:
    """Run a peer's process, from the root of the checkout, with what it writes in a file."""
    paths = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    with log.open("w") as written:
        environment = {**os.environ, "PYTHONPATH": paths}
        process = subprocess.run(command, stdout=written, stderr=written, cwd=ROOT, env=environment)
    if process.returncode:
        lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        killed = "the system killed it, as it does when memory runs out"
        reason = killed if process.returncode == -9 else (lines or ["it wrote nothing"])[-1]
        raise AdiError(f"the peer's process ended with {process.returncode}: {reason} ({log}).")


def _report(run: Path) -> dict[str, Any]:
    """The peer's report of its choice."""
    with np.load(run / RESULT) as stored:
        report: dict[str, Any] = json.loads(str(stored["report"]))
    return report
