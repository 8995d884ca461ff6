"""Results of the portfolio: adi's default beside the best baseline of each data set, with intervals."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from adi.comparison.compare import compare_groups
from adi.comparison.difference import Difference
from adi.data.manifest import Manifest
from adi.grid.cells import Cell
from adi.grid.folder import GridFolder
from adi.runs.groups import RunGroup
from adi.runs.run import read_run
from benchmarks.portfolio.rows import BASELINES, DEFAULT, Row

KS = (10, 50)
REPLICATES = 500


@dataclass(frozen=True)
class Lead:
    """The lead of the default over the best of some models, with its 95 % interval.

    `behind` are the domains in which one of them is significantly ahead of the default, with its name.
    """

    best: str
    mean: float
    difference: float
    low: float
    high: float
    behind: tuple[str, ...]


@dataclass(frozen=True)
class Against:
    """The means of all models at one k, and the lead of the default over the baselines, and over the peers if any."""

    k: int
    means: Mapping[str, float]
    baselines: Lead
    peers: Lead | None = None


def groups_of(folder: GridFolder, cells: Sequence[Cell]) -> list[RunGroup]:
    """The finished runs of a data set by their row."""
    runs: dict[str, list[Cell]] = {}
    for cell in cells:
        record = folder.record(cell)
        if record is not None and record.status == "done":
            runs.setdefault(cell.name, []).append(cell)
    return [
        RunGroup(label=name, runs=tuple(read_run(folder.run(cell)) for cell in done)) for name, done in runs.items()
    ]


def against(groups: Sequence[RunGroup], k: int, peers: Collection[str] = ()) -> Against:
    """Compare the default with all baselines of a data set at one k, and with the peers of these names."""
    means = {group.label: group.measure(f"recall@{k}").mean or 0.0 for group in groups}
    baselines = [row.name for row in BASELINES if row.name in means]
    present = [name for name in peers if name in means]
    return Against(
        k=k,
        means=means,
        baselines=_lead(groups, k, means, baselines),
        peers=_lead(groups, k, means, present) if present else None,
    )


def _lead(groups: Sequence[RunGroup], k: int, means: Mapping[str, float], names: Collection[str]) -> Lead:
    """The lead of the default over the best of some models."""
    compared = [group for group in groups if group.label in {*names, DEFAULT}]
    comparison = compare_groups(compared, measure=f"recall@{k}", baseline=DEFAULT, replicates=REPLICATES)
    best = max(names, key=lambda name: means[name])
    of_best = next(d for d in comparison.of(best) if d.mean == "domains")
    assert of_best.difference is not None
    assert of_best.low is not None
    assert of_best.high is not None
    return Lead(
        best=best,
        mean=means[best],
        difference=-of_best.difference,
        low=-of_best.high,
        high=-of_best.low,
        behind=tuple(dict.fromkeys(_names_of(comparison.differences))),
    )


def _names_of(differences: Sequence[Difference]) -> list[str]:
    """The domains in which a model is significantly above the default, with the model."""
    return [f"{d.domain} ({d.model})" for d in differences if d.domain is not None and d.verdict == "helps"]


def page(
    results: Mapping[str, Sequence[Against]],
    manifests: Mapping[str, Manifest],
    missing: Sequence[str],
    too_large: Mapping[str, Sequence[Row]],
    failed: Mapping[str, str],
) -> str:
    """The results as Markdown: tables for each k, the data sets that are missing, the rows of which a data set is too
    large for, and the cells that failed."""
    lines = ["# The portfolio", ""]
    has_peers = any(by_k[0].peers is not None for by_k in results.values())
    kinds = ("baseline", "peer") if has_peers else ("baseline",)
    heads = [f"best {kind} | | lead of {DEFAULT} (95 %) | behind in" for kind in kinds]
    for position, k in enumerate(KS):
        lines += [
            f"## Mean recall@{k}",
            "",
            f"| data set | rows | domains | {DEFAULT} | dnn | {' | '.join(heads)} |",
            "|---|---:|---:|---:|---:|" + "---|---:|---|---|" * len(kinds),
        ]
        for name, by_k in results.items():
            result, manifest = by_k[position], manifests[name]
            cells = [name, f"{manifest.rows.kept:,}", str(len(manifest.domains))]
            cells += [_number(result.means.get(model)) for model in (DEFAULT, "dnn")]
            cells += _cells(result.baselines) + (_cells(result.peers) if has_peers else [])
            lines.append(f"| {' | '.join(cells)} |")
        lines.append("")
        if has_peers:
            lines += [
                f"All models, mean recall@{k}:",
                "",
                *_all_means({n: r[position] for n, r in results.items()}),
                "",
            ]
    if missing:
        lines += ["Left out, since their files are not there: " + ", ".join(missing) + ".", ""]
    lines += [f"Left out of {name}: {row.name}, {row.reason}." for name, rows in too_large.items() for row in rows]
    lines += [f"Failed: {cell}: {reason}" for cell, reason in failed.items()]
    return "\n".join(lines)


def _cells(lead: Lead | None) -> list[str]:
    """The cells of a lead; empty where no model ran."""
    if lead is None:
        return ["–"] * 4
    interval = f"{lead.difference:+.4f} ({lead.low:+.4f} to {lead.high:+.4f})"
    return [lead.best, _number(lead.mean), interval, ", ".join(lead.behind) or "–"]


def _all_means(results: Mapping[str, Against]) -> list[str]:
    """A table with a row for each model and a column for each data set."""
    models = dict.fromkeys(model for result in results.values() for model in result.means)
    lines = [f"| | {' | '.join(results)} |", "|---|" + "---:|" * len(results)]
    for model in models:
        cells = (_number(result.means.get(model)) for result in results.values())
        lines.append(f"| {model} | {' | '.join(cells)} |")
    return lines


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"
