"""Experiments of Table 9: each model's bundle against DNN's on a live marketplace, simulated and analyzed.

runs/DATASET/CELL/bundle    the cell's bundle
runs/DATASET/CELL/online    the experiment: its logs, its page abtest.html, and uplifts.json (`adi.reproduce.uplifts`)
"""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import yaml

from adi.abtest.analysis import analyze
from adi.abtest.clicks import ClickColumns
from adi.abtest.page import write_page
from adi.errors import AdiError, ArgumentError
from adi.exporting.export import export
from adi.grid.cells import Cell
from adi.grid.folder import GridFolder
from adi.marketplace.simulation import simulate
from adi.online.settings import Online
from adi.online.simulate import simulate_experiment
from adi.reproduce.datasets import marketplace_of
from adi.reproduce.lines import Line
from adi.reproduce.uplifts import FOLDER, length_of, write_test
from adi.serving.experiment import load_experiment

CONTROL = "dnn"
BUNDLE = "bundle"

QUICK = Online(days=2, requests=1000)
"""The settings of a quick look."""


@dataclass(frozen=True)
class Contest:
    """A cell and the control's of the same seed, whose bundles are the arms of an experiment."""

    control: Cell
    treatment: Cell


@dataclass(frozen=True)
class Contests:
    """The experiments of a table, seed by seed, and their settings; each has its treatment's seed."""

    contests: tuple[Contest, ...]
    online: Online
    quick: bool

    def check(self, folder: GridFolder, *, redo: bool) -> None:
        """Remove finished experiments of another length if `redo`; otherwise they raise `AdiError`."""
        now = self.online.days, self.online.requests
        for contest in self.contests:
            logs = folder.run(contest.treatment) / FOLDER
            if not logs.exists() or (length := length_of(logs)) == now:
                continue
            if not redo:
                raise AdiError(
                    f"{logs}: {length[0]} days were simulated with {length[1]:,} requests a day, not {now[0]} with "
                    f"{now[1]:,}. Give --days {length[0]} --requests {length[1]}, choose another --out, or simulate "
                    "again with --redo."
                )
            shutil.rmtree(logs)

    def run(self, folder: GridFolder, say: Callable[[str], None]) -> None:
        """Simulate and analyze the experiments that are not finished, of cells that are."""
        left = [each for each in self.contests if _is_left(folder, each)]
        if not left:
            return
        with TemporaryDirectory(prefix="adi-market-") as work:
            dataset = left[0].treatment.dataset
            say(f"simulating {dataset}")
            simulate(Path(work, "market"), marketplace_of(dataset, self.quick), progress=False)
            for contest in left:
                _run(folder, contest, replace(self.online, seed=contest.treatment.seed), Path(work), say)


def contests_of(lines: Sequence[Line], *, quick: bool, days: int | None, requests: int | None) -> Contests:
    """The experiments of a table's lines; `days` and `requests` are those of `Online` by default.

    Raises `ArgumentError` where the control is not among the lines, and for numbers out of range.
    """
    cells = {line.row.model: line.cells for line in lines}
    treatments = [cell for model, each in cells.items() if model != CONTROL for cell in each]
    if treatments and CONTROL not in cells:
        raise ArgumentError("only", f"table9 compares each model with {CONTROL}. Add {CONTROL}.")
    contests = [Contest(cells[CONTROL][cell.seed], cell) for cell in sorted(treatments, key=lambda cell: cell.seed)]
    default = QUICK if quick else Online()
    online = replace(
        default,
        days=default.days if days is None else days,
        requests=default.requests if requests is None else requests,
    )
    return Contests(tuple(contests), online, quick)


def _is_left(folder: GridFolder, contest: Contest) -> bool:
    records = [folder.record(cell) for cell in (contest.control, contest.treatment)]
    trained = all(record is not None and record.status == "done" for record in records)
    return trained and not (folder.run(contest.treatment) / FOLDER).exists()


def _run(folder: GridFolder, contest: Contest, online: Online, work: Path, say: Callable[[str], None]) -> None:
    """Simulate an experiment in `work`, which has the marketplace, and move it to its folder once it is complete."""
    arms = {}
    for cell in (contest.control, contest.treatment):
        bundle = folder.run(cell) / BUNDLE
        if not bundle.exists():
            say(f"exporting {cell.key}")
            export(folder.run(cell), bundle, progress=False)
        arms[cell.model] = {"bundle": str(bundle.resolve()), "weight": 1}
    name = contest.treatment.key
    experiment, building = work / f"{name}.yaml", folder.run(contest.treatment) / f".{FOLDER}.partial"
    experiment.write_text(yaml.safe_dump({"name": name, "control": CONTROL, "arms": arms}), encoding="utf-8")
    shutil.rmtree(building, ignore_errors=True)
    say(f"{name} against {contest.control.key}: {online.days} days of {online.requests:,} requests")
    simulate_experiment(work / "market", experiment, building, online, progress=False)
    test = analyze(
        building / "exposures",
        building / "clicks",
        columns=ClickColumns(charge="charge"),
        experiment=name,
        control=CONTROL,
        shares=load_experiment(experiment).shares,
    )
    write_page(test, building / "abtest.html")
    write_test(building, test.to_json())
    building.rename(folder.run(contest.treatment) / FOLDER)
