"""Figure 5 and its check: whether the features with large weights in a domain are those that its recall depends on."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from adi.data.arrays import Array
from adi.evaluation.ablation import recall_falls
from adi.grid.cells import Cell
from adi.grid.folder import GridFolder
from adi.models.interest import interests
from adi.report.charts import Specification, heat_map
from adi.report.elements import UNDEFINED, Figures, Html, folded, grid, mean_spread, note, table, text
from adi.report.interest import SIDES
from adi.reproduce.results import Results
from adi.reproduce.sections import dataset_heading, heading, remarks
from adi.runs.by_feature import FALLS, INTEREST, ByFeature, read_by_feature, write_by_feature
from adi.runs.groups import Estimate, RunGroup, estimates_by_feature
from adi.training.fitted import open_run

FEWEST_FEATURES = 4
"""With fewer, equal orders mean little: those of two features are equal in half of all cases by chance."""

EXPLANATION = (
    "Each heat map has its own colours. Weights: darker is larger. Falls: orange where recall is lower without the "
    "feature, blue where it is higher. The correlation is Spearman's, between the absolute weights and the falls: 1 "
    f"where both rank the features alike. A side with fewer than {FEWEST_FEATURES} features has none. Falls are "
    "measured on at most 5,000 test queries of a domain."
)


def check_interest(folder: GridFolder, cell: Cell, say: Callable[[str], None]) -> None:
    """Write the fall of recall without each feature beside a finished cell's run; its evaluation wrote the weights."""
    record, run = folder.record(cell), folder.run(cell)
    if record is None or record.status != "done" or (run / FALLS).exists():
        return
    _, dataset, scorer = open_run(run)
    weights, done = interests(scorer, dataset), 0
    total = sum(len(side.features) for side in weights.values())

    def advance() -> None:
        nonlocal done
        done += 1
        say(f"{cell.dataset} {cell.name}, seed {cell.seed}: zeroed {done} of {total} features")

    say(f"{cell.dataset} {cell.name}, seed {cell.seed}: zeroing {total} features, one after the other")
    falls = recall_falls(scorer, dataset, weights, advance=advance)
    sides = {str(side): ByFeature.of(weights[side].features, values, dataset.domains) for side, values in falls.items()}
    write_by_feature(run / FALLS, sides)


@dataclass(frozen=True)
class CheckedSide:
    """A side of a model: the weight and the fall of each feature by domain, and the correlation of the two by domain.

    `correlation` is Spearman's, between the absolute weights and the falls over the side's features, averaged over the
    seeds; None in a domain with fewer than `FEWEST_FEATURES`, or where weights or falls are all equal.
    """

    side: str
    features: tuple[str, ...]
    weights: Mapping[str, tuple[Estimate, ...]]
    falls: Mapping[str, tuple[Estimate, ...]]
    correlation: dict[str, float | None]


def checked_sides(group: RunGroup) -> list[CheckedSide]:
    """The sides of a model, from the files beside its runs; empty where there are none."""
    by_run = [(read_by_feature(run.folder / INTEREST), read_by_feature(run.folder / FALLS)) for run in group.runs]
    sides = []
    for side in SIDES:
        pairs = [(weights[side], falls[side]) for weights, falls in by_run if side in weights and side in falls]
        if not pairs:
            continue
        correlation = {
            domain: Estimate.of(
                rank_correlation(_absolute(weights.values[domain]), falls.values[domain]) for weights, falls in pairs
            ).mean
            for domain in pairs[0][0].values
        }
        weights = estimates_by_feature([weights for weights, _ in pairs])
        falls = estimates_by_feature([falls for _, falls in pairs])
        sides.append(CheckedSide(side, pairs[0][0].features, weights, falls, correlation))
    return sides


def _absolute(weights: Sequence[float | None]) -> list[float | None]:
    """Absolute weights: a weight of -1 keeps a feature as large as 1 does."""
    return [None if weight is None else abs(weight) for weight in weights]


def rank_correlation(first: Sequence[float | None], second: Sequence[float | None]) -> float | None:
    """Spearman's correlation; None where it is not meaningful (`CheckedSide`)."""
    defined = [(a, b) for a, b in zip(first, second, strict=True) if a is not None and b is not None]
    if len(defined) < FEWEST_FEATURES:
        return None
    ranks = np.stack([_ranks(column) for column in zip(*defined, strict=True)])
    return None if (ranks.std(axis=1) == 0).any() else float(np.corrcoef(ranks)[0, 1])


def _ranks(values: Sequence[float]) -> Array:
    """The ranks of values, of which equal ones share the mean of theirs: as SciPy's, whose import takes longer."""
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks: Array = (counts.cumsum() - (counts - 1) / 2)[places]
    return ranks


def interest(results: Sequence[Results], figures: Figures) -> Html:
    """The section of Figure 5: heat maps of weights and falls, their correlation, and the numbers."""
    parts = [heading(results), note(EXPLANATION)]
    for result in results:
        parts += [dataset_heading(result), remarks(result)]
        for row, group in result.finished:
            sides = checked_sides(group)
            if not sides:
                parts.append(note(f"{row.label}: its features have not been checked yet."))
                continue
            parts.append(_correlations(sides, row.label))
            for side in sides:
                maps = [
                    figures.add(chart, about=f"{result.name}, {chart['title']}") for chart in heat_maps(side, row.label)
                ]
                parts.append(grid(maps))
            parts.append(folded(f"{row.label} in numbers", "".join(_table(side, row.label) for side in sides)))
    return Html("".join(parts))


def heat_maps(side: CheckedSide, label: str) -> list[Specification]:
    """Heat maps of the weights and the falls of a side."""
    return [
        _heat_map(side, side.weights, "weight", label, number_format=".2f", around_zero=False),
        _heat_map(side, side.falls, "fall of Recall@50", label, number_format=".3f", around_zero=True),
    ]


def _heat_map(
    side: CheckedSide,
    values: Mapping[str, tuple[Estimate, ...]],
    name: str,
    label: str,
    *,
    number_format: str,
    around_zero: bool,
) -> Specification:
    return heat_map(
        [
            {"domain": domain, "feature": feature, name: estimate.mean}
            for domain, estimates in values.items()
            for feature, estimate in zip(side.features, estimates, strict=True)
        ],
        x="domain",
        y="feature",
        value=name,
        title=f"{label}, {SIDES[side.side]}: {name}",
        x_order=list(values),
        y_order=side.features,
        number_format=number_format,
        around_zero=around_zero,
    )


def _correlations(sides: Sequence[CheckedSide], label: str) -> Html:
    rows = [
        [
            text(f"{label}, {SIDES[side.side]}"),
            text(len(side.features)),
            *(UNDEFINED if value is None else text(f"{value:+.2f}") for value in side.correlation.values()),
        ]
        for side in sides
    ]
    head = ["Correlation of weight and fall", "Features", *sides[0].correlation]
    return table(head, rows, caption=f"Correlation of weight and fall, {label}")


def _table(side: CheckedSide, label: str) -> Html:
    domains = list(side.weights)
    rows = [
        [
            text(feature),
            *(mean_spread(values[domain][index]) for values in (side.weights, side.falls) for domain in domains),
        ]
        for index, feature in enumerate(side.features)
    ]
    spans = [("", 1), ("Weight", len(domains)), ("Fall of Recall@50 without it", len(domains))]
    caption = f"{label}, {SIDES[side.side]}: weights and falls"
    return table([f"Feature, {SIDES[side.side]}", *domains, *domains], rows, caption=caption, spans=spans)
