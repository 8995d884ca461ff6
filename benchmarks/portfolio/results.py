"""Results of the portfolio: adi's default beside the best baseline of each data set, with intervals."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from adi.comparison.compare import compare_groups
from adi.comparison.difference import Difference
from adi.data.manifest import Manifest
from adi.grid.cells import Cell
from adi.grid.folder import GridFolder
from adi.runs.groups import RunGroup
from adi.runs.run import read_run
from benchmarks.portfolio.rows import BASELINES, DEFAULT

KS = (10, 50)
REPLICATES = 500


@dataclass(frozen=True)
class Against:
    """The default beside baselines at one k: the means, and the difference to the best of them with its interval.

    `below` are the domains in which some baseline is significantly ahead, with its name.
    """

    k: int
    means: Mapping[str, float]
    best: str
    difference: float
    low: float
    high: float
    below: tuple[str, ...]


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


def against(groups: Sequence[RunGroup], k: int) -> Against:
    """Compare the default with all baselines of a data set at one k."""
    names = {row.name for row in BASELINES}
    means = {group.label: group.measure(f"recall@{k}").mean or 0.0 for group in groups}
    compared = [group for group in groups if group.label in names or group.label == DEFAULT]
    comparison = compare_groups(compared, measure=f"recall@{k}", baseline=DEFAULT, replicates=REPLICATES)
    best = max((name for name in means if name in names), key=lambda name: means[name])
    of_best = next(d for d in comparison.of(best) if d.mean == "domains")
    assert of_best.difference is not None
    assert of_best.low is not None
    assert of_best.high is not None
    return Against(
        k=k,
        means=means,
        best=best,
        difference=-of_best.difference,
        low=-of_best.high,
        high=-of_best.low,
        below=tuple(dict.fromkeys(_names_of(comparison.differences))),
    )


def _names_of(differences: Sequence[Difference]) -> list[str]:
    """The domains in which a baseline is significantly above the default, with the baseline."""
    return [f"{d.domain} ({d.model})" for d in differences if d.domain is not None and d.verdict == "helps"]


def page(
    results: Mapping[str, Sequence[Against]],
    manifests: Mapping[str, Manifest],
    missing: Sequence[str],
    failed: Mapping[str, str],
) -> str:
    """The results as Markdown: a table for each k, what is missing, and what failed."""
    lines = ["# The portfolio", ""]
    head = f"| data set | rows | domains | {DEFAULT} | dnn | best baseline | | lead of {DEFAULT} (95 %) | behind in |"
    for position, k in enumerate(KS):
        lines += [f"## Mean recall@{k}", "", head, "|---|---:|---:|---:|---:|---|---:|---|---|"]
        for name, by_k in results.items():
            result, manifest = by_k[position], manifests[name]
            cells = [
                name,
                f"{manifest.rows.kept:,}",
                str(len(manifest.domains)),
                f"{result.means[DEFAULT]:.4f}",
                f"{result.means['dnn']:.4f}" if "dnn" in result.means else "–",
                result.best,
                f"{result.means[result.best]:.4f}",
                f"{result.difference:+.4f} ({result.low:+.4f} to {result.high:+.4f})",
                ", ".join(result.below) or "–",
            ]
            lines.append(f"| {' | '.join(cells)} |")
        lines.append("")
    if missing:
        lines += ["Left out, since their files are not there: " + ", ".join(missing) + ".", ""]
    lines += [f"Failed: {cell}: {reason}" for cell, reason in failed.items()]
    return "\n".join(lines)


def write_page(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
