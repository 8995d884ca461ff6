"""Candidates for defaults, chosen on the portfolio's logs without their test rows, and a leave-one-out table.

A candidate is a set of defaults. Each is trained on the log of every data set without its test rows, split again in the
same way, and measured there. The candidate with the highest mean lead over the best baseline is the default; for every
source of data, the candidate is also chosen from all other sources, and its lead on that source is reported.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import numpy as np
import typer

from adi.cli.screen import ERR
from adi.data.folder import replace_text
from adi.grid.cells import Cell
from adi.grid.folder import GridFolder
from adi.grid.progress import observing
from adi.grid.run import run_cells
from adi.grid.versions import Version, clear_stale
from benchmarks.portfolio.datasets import DATASETS, prepared_datasets
from benchmarks.portfolio.options import Data, Jobs, Out, Redo, Seeds
from benchmarks.portfolio.portfolio import evaluate, present
from benchmarks.portfolio.results import KS, groups_of
from benchmarks.portfolio.rows import BASELINES, DEFAULT, Row, rows_for

CANDIDATES: dict[str, dict[str, Any]] = {
    "defaults": {},
    "no-blend": {"blend": False},
    "no-neighbours": {"neighbours": 0},
    "one-set": {"embedding_sets": 1},
    "cosine": {"similarity": "cosine", "temperature": 0.07},
    "no-networks": {"networks": []},
    "slow-tables": {"embedding_lr": 0.025},
    "slow-networks": {"lr": 0.001},
    "fast-networks": {"lr": 0.01},
    "large-steps": {"batch_size": 4096, "uniform": 1000},
    "fast-differences": {"delta_users": 1},
    "bounded-se": {"se_sigmoid": True},
}
"""Sets of defaults, as settings that differ from those of adi."""

SMALLER = ("globo-10", "globo-1", "movielens-10", "journey-10", "journey-1")
INNER = (*(name for name, dataset in DATASETS.items() if dataset.source in ("xmrec-wsdm22", "marketplace")), *SMALLER)
"""The data sets that rules are fitted to: of the large logs their samples, for time."""


def rules(
    out: Out,
    data: Data = None,
    datasets: Annotated[
        str | None, typer.Option(help="Data sets, separated by commas.", show_default="all that are there")
    ] = None,
    seeds: Seeds = 1,
    jobs: Jobs = 1,
    redo: Redo = False,
) -> None:
    """Candidates for adi's defaults on the portfolio's logs without their tests; written to rules.md.

    Example: [bold]python -m benchmarks rules --data DATA --out rules --jobs 2[/]
    """
    names, missing = present(tuple(datasets.split(",")) if datasets else INNER, data)
    folder = GridFolder(out)
    with folder.locked():
        version = prepared_datasets(folder, names, data, inner=True, redo=redo)
        cells = {name: _cells(name, version, seeds) for name in names}
        every = [cell for of_dataset in cells.values() for cell in of_dataset]
        clear_stale(folder, {}, every, code=version.code, redo=redo)
        with observing(True, None) as observer:
            failed = run_cells(folder, version, every, observer, evaluate=evaluate, jobs=jobs, device="cpu")
        leads = {name: leads_of(folder, of_dataset) for name, of_dataset in cells.items()}
        replace_text(out / "rules.md", page(leads, missing, failed))
    ERR.print(f"Wrote {out / 'rules.md'}.")


def _cells(name: str, version: Version, seeds: int) -> list[Cell]:
    rows = rows_for(version.manifests[name], BASELINES)
    rows += [Row(candidate, DEFAULT, settings) for candidate, settings in CANDIDATES.items()]
    return [cell for row in rows for cell in row.cells(name, seeds, {})]


def leads_of(folder: GridFolder, cells: Sequence[Cell]) -> dict[str, float]:
    """The lead of each candidate over the best baseline of a data set, averaged over the ks and the seeds."""
    groups = {group.label: group for group in groups_of(folder, cells)}
    baselines = [group for name, group in groups.items() if name in {row.name for row in BASELINES}]
    leads: dict[str, list[float]] = {}
    for k in KS:
        best = max(group.measure(f"recall@{k}").mean or 0.0 for group in baselines)
        for name in CANDIDATES:
            if name in groups:
                leads.setdefault(name, []).append((groups[name].measure(f"recall@{k}").mean or 0.0) - best)
    return {name: float(np.mean(values)) for name, values in leads.items()}


def chosen(leads: Mapping[str, Mapping[str, float]]) -> str:
    """The candidate with the highest lead, averaged over data sets of one source and then over the sources."""
    sources = {DATASETS[name].source for name in leads}
    return max(CANDIDATES, key=lambda candidate: np.mean([_lead(leads, candidate, source) for source in sources]))


def _lead(leads: Mapping[str, Mapping[str, float]], candidate: str, source: str) -> float:
    return float(np.mean([of[candidate] for name, of in leads.items() if DATASETS[name].source == source]))


def page(leads: Mapping[str, Mapping[str, float]], missing: Sequence[str], failed: Mapping[str, str]) -> str:
    """The leads of all candidates, and the choice for each source without it, as Markdown."""
    complete = {name: of for name, of in leads.items() if len(of) == len(CANDIDATES)}
    lines = [
        "# Rules for defaults",
        "",
        f"Lead over the best baseline, mean of recall@{' and @'.join(map(str, KS))}, on logs without their test rows.",
        "",
        f"| data set | {' | '.join(CANDIDATES)} |",
        f"|---|{'---:|' * len(CANDIDATES)}",
        *(f"| {name} | {' | '.join(f'{of[c]:+.4f}' for c in CANDIDATES)} |" for name, of in complete.items()),
        "",
    ]
    sources = list(dict.fromkeys(DATASETS[name].source for name in complete))
    if len(sources) > 1:
        lines += [
            f"Chosen from all sources: **{chosen(complete)}**.",
            "",
            "| left out | chosen from the others | its lead there | lead of the best candidate there |",
            "|---|---|---:|---:|",
        ]
    for source in sources if len(sources) > 1 else ():
        others = {name: of for name, of in complete.items() if DATASETS[name].source != source}
        choice, best = chosen(others), max(_lead(complete, candidate, source) for candidate in CANDIDATES)
        lines.append(f"| {source} | {choice} | {_lead(complete, choice, source):+.4f} | {best:+.4f} |")
    lines += ["", "Left out, since their files are not there: " + ", ".join(missing) + "."] if missing else []
    lines += [f"Failed: {cell}: {reason}" for cell, reason in failed.items()]
    return "\n".join([*lines, ""])
