"""The grid behind the paper's tables: plans its cells, runs them one by one or in parallel, and writes the outputs."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from adi.errors import ArgumentError
from adi.grid.cells import Cell, GridObserver
from adi.grid.folder import GridFolder
from adi.grid.run import run_cells
from adi.grid.versions import Version, clear_stale, manifests_in, this_code
from adi.reproduce.datasets import check_sources, make_dataset, provenance_of
from adi.reproduce.interest import check_interest
from adi.reproduce.lines import Parts, distinct_cells, lines_of, only_models
from adi.reproduce.outputs import write_outputs
from adi.reproduce.requests import add_requests
from adi.reproduce.tables import TABLES, datasets_of, tables_named
from adi.runs.metrics import Metrics
from adi.training.device import device_named
from adi.training.evaluation import evaluate_run

if TYPE_CHECKING:
    from adi.reproduce.experiments import Contests


@dataclass(frozen=True)
class Reproduction:
    """The path of the report, and the errors of the requested cells that failed, by data set and cell."""

    report: Path
    failed: dict[str, str]


def reproduce(
    table: str,
    out: str | Path,
    observer: GridObserver,
    *,
    data: str | Path | None = None,
    seeds: int = 3,
    only: Sequence[str] | None = None,
    datasets: Sequence[str] | None = None,
    jobs: int = 1,
    device: str = "cpu",
    quick: bool = False,
    redo: bool = False,
    days: int | None = None,
    requests: int | None = None,
) -> Reproduction:
    """Run the cells of a table or figure of the paper, and write the outputs of all cells that were ever run in `out`.

    Args:
        table: a name of `adi.reproduce.tables.TABLES`, or "all".
        out: the folder of the grid (`adi.grid.folder`): new, or that of an earlier call, of which finished cells
            are kept and interrupted ones go on.
        observer: follows the progress.
        data: a folder with the published files of each public data set in a folder of its name, as for `adi dataset`.
        seeds: the number of seeds, from 0 on. A model without randomness has one.
        only: the models to run; None: all.
        datasets: the data sets to run on; None: all.
        jobs: the number of cells to run at a time. Several at a time, each in a process with its share of the cores,
            take less time than one after the other on all cores.
        device: where models are trained, as in `adi.training.train.train`; it may differ between calls.
        quick: one seed, one epoch and a small marketplace, in ``<out>/quick``.
        redo: remove what is of another version or has failed, and run it again.
        days, requests: of Table 9, the days that are simulated and the requests on a day; None: those of
            `adi.online.settings.Online`, and fewer in a quick look.

    Raises `AdiError`, before any work, for names, settings and folders that do not exist, and for cells in `out` of
    other code, data or settings.
    """
    if seeds < 1:
        raise ArgumentError("seeds", f"{seeds}; give 1 or more.")
    if jobs < 1:
        raise ArgumentError("jobs", f"{jobs}; give 1 or more.")
    device_named(device)
    data = None if data is None else Path(data)
    tables, seeds = tables_named(table), 1 if quick else seeds
    datasets_by_table = datasets_of(tables, datasets)
    parts = only_models(
        {
            (grid_table.name, dataset): lines_of(grid_table, dataset, seeds=seeds, quick=quick)
            for grid_table in tables
            for dataset in datasets_by_table.get(grid_table.name, ())
        },
        only,
    )
    online = _online_part(parts, quick=quick, days=days, requests=requests)
    check_sources(parts, data)
    cells = distinct_cells(line for lines in parts.values() for line in lines)
    folder = GridFolder(Path(out, "quick") if quick else Path(out))
    with folder.locked():
        if online is not None:
            online.check(folder, redo=redo)
        version = _prepare(folder, cells, observer, data=data, quick=quick, redo=redo)
        add_requests(folder, parts, seeds)
        failed = run_cells(folder, version, cells, observer, evaluate=_evaluate, jobs=jobs, device=device)
        for (name, _), lines in parts.items():
            if TABLES[name].kind == "interest":
                for cell in distinct_cells(lines):
                    check_interest(folder, cell, observer.stage)
        if online is not None:
            online.run(folder, observer.stage)
        observer.stage("writing the tables")
        report = write_outputs(folder, version, quick=quick)
    return Reproduction(report, failed)


def _online_part(parts: Parts, *, quick: bool, days: int | None, requests: int | None) -> "Contests | None":
    """The experiments of the parts, if any: only these need the extra abtest."""
    lines = [line for (name, _), part in parts.items() if TABLES[name].kind == "online" for line in part]
    if lines:
        from adi.reproduce.experiments import contests_of

        return contests_of(lines, quick=quick, days=days, requests=requests)
    for name, value in (("days", days), ("requests", requests)):
        if value is not None:
            raise ArgumentError(name, f"{value}, and nothing is simulated. Leave it out, or ask for table9.")
    return None


def _prepare(
    folder: GridFolder, cells: Sequence[Cell], observer: GridObserver, *, data: Path | None, quick: bool, redo: bool
) -> Version:
    """Remove or refuse what is of another version, and prepare the data sets of the cells; returns the version."""
    code = this_code()
    observer.stage("checking the data")
    datasets = dict.fromkeys(cell.dataset for cell in cells)
    provenances = {name: provenance_of(name, data, quick=quick, code=code) for name in datasets}
    clear_stale(folder, provenances, cells, code=code, redo=redo)
    for name, provenance in provenances.items():
        if not folder.data(name).exists():
            make_dataset(name, data, folder.data(name), provenance, quick=quick, say=observer.stage)
    clear_stale(folder, provenances, cells, code=code, redo=redo)  # again: a data set may be new under known cells
    return Version(code, manifests_in(folder))


def _evaluate(run: Path, cell: Cell) -> Metrics:
    return evaluate_run(run, progress=False)
