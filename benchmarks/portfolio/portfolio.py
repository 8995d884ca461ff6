"""The portfolio: adi's defaults on data that nobody tuned them for, beside what a user would take without adi."""

from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Annotated

import typer

from adi.cli.screen import ERR
from adi.data.folder import replace_text
from adi.errors import ArgumentError, suggestion
from adi.grid.cells import Cell
from adi.grid.folder import GridFolder
from adi.grid.progress import observing
from adi.grid.run import run_cells
from adi.grid.versions import Version, clear_stale
from adi.runs.metrics import Metrics
from adi.training.evaluation import evaluate_run
from benchmarks.portfolio.datasets import DATASETS, MARKETPLACE, prepared_datasets
from benchmarks.portfolio.options import Data, Jobs, Out, Redo, Seeds
from benchmarks.portfolio.peers.rows import MODULES, PEERS, cells_of_peers, peers_code
from benchmarks.portfolio.peers.runs import run_peers
from benchmarks.portfolio.results import KS, against, groups_of, page
from benchmarks.portfolio.rows import DEFAULT, left_out, rows_for
from benchmarks.training.processes import check_python

QUICK = ("market-tiny", "market-rich-1")
"""The data sets of a quick look."""


def portfolio(
    out: Out,
    data: Data = None,
    datasets: Annotated[
        str | None, typer.Option(help="Data sets, separated by commas.", show_default="all that are there")
    ] = None,
    seeds: Seeds = 1,
    jobs: Jobs = 1,
    peers: Annotated[
        Path | None,
        typer.Option(help="A Python that has RecTools and implicit, whose models join.", show_default="without them"),
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Two small marketplaces, one epoch.")] = False,
    redo: Redo = False,
) -> None:
    """Recall of adi's defaults on many data sets, beside baselines; written to portfolio.md.

    Example: [bold]python -m benchmarks portfolio --data DATA --out portfolio --jobs 2[/]
    """
    if peers is not None:
        for module in MODULES:
            check_python("peers", peers, module)
    names, missing = present(QUICK if quick else tuple(datasets.split(",")) if datasets else None, data)
    folder = GridFolder(out)
    with folder.locked():
        version = prepared_datasets(folder, names, data, redo=redo)
        cells = {name: _cells(name, version, seeds, quick) for name in names}
        peer_cells = {name: [] if peers is None else cells_of_peers(name, seeds) for name in names}
        clear_stale(folder, {}, _all(cells), code=version.code, redo=redo)
        clear_stale(folder, {}, _all(peer_cells), code=peers_code(), redo=redo)
        with observing(True, None) as observer:
            failed = run_cells(folder, version, _all(cells), observer, evaluate=evaluate, jobs=jobs, device="cpu")
            if peers is not None:
                failed |= run_peers(folder, version, _all(peer_cells), observer, jobs=jobs, python=peers)
        results = {}
        for name, of_dataset in cells.items():
            groups = groups_of(folder, of_dataset + peer_cells[name])
            if DEFAULT in {group.label for group in groups}:
                results[name] = [against(groups, k, [row.name for row in PEERS]) for k in KS]
        too_large = {name: left_out(version.manifests[name].items) for name in names}
        replace_text(out / "portfolio.md", page(results, version.manifests, missing, too_large, failed))
    ERR.print(f"Wrote {out / 'portfolio.md'}.")


def present(names: tuple[str, ...] | None, data: Path | None) -> tuple[list[str], list[str]]:
    """The data sets to run, and those that are left out since their source is not there, which is said."""
    for name in names or ():
        if name not in DATASETS:
            raise ArgumentError(
                "datasets", f"'{name}' is not one of {', '.join(DATASETS)}.{suggestion(name, DATASETS)}"
            )
    there: list[str] = []
    missing: list[str] = []
    for name in names or DATASETS:
        source = DATASETS[name].source
        is_there = source == MARKETPLACE or (data is not None and (data / source).is_dir())
        (there if is_there else missing).append(name)
    if missing:
        ERR.print(f"left out, since --data has no folder of their source: {', '.join(missing)}")
    return there, missing


def _cells(name: str, version: Version, seeds: int, quick: bool) -> list[Cell]:
    """The cells of a data set."""
    rows = rows_for(version.manifests[name])
    return [cell for row in rows for cell in row.cells(name, 1 if quick else seeds, {"epochs": 1} if quick else {})]


def _all(cells: Mapping[str, Sequence[Cell]]) -> list[Cell]:
    """The cells of all data sets."""
    return list(chain.from_iterable(cells.values()))


def evaluate(run: Path, cell: Cell) -> Metrics:
    """Evaluate a cell's run against the whole corpus."""
    return evaluate_run(run, ks=KS, against="corpus", progress=False)
