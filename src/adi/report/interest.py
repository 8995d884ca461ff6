"""The section of a report on feature weights: a heat map of each feature's mean weight by domain (the paper's Fig. 5).

The weights are those of `adi.models.interest`.
"""

from collections.abc import Sequence

from adi.report.charts import Specification, heat_map
from adi.report.elements import Figures, Html, folded, grid, mean_spread, note, table, text
from adi.runs.by_feature import INTEREST, ByFeature, read_by_feature
from adi.runs.groups import RunGroup, estimates_by_feature

SIDES = {"user": "user's side", "item": "item's side"}


def interest(groups: Sequence[RunGroup], figures: Figures) -> Html:
    """Heat maps and tables of each side of each model that weighs features; empty where no model does."""
    parts = []
    for group in groups:
        by_run = [read_by_feature(run.folder / INTEREST) for run in group.runs]
        maps, tables = [], []
        for side, name in SIDES.items():
            if weights := [run[side] for run in by_run if side in run]:
                title = f"{group.label}, {name}"
                maps.append(
                    figures.add(
                        weights_map(weights, title=title),
                        about=f"Weight of each feature by domain, {title}",
                        columns=len(weights[0].values),
                    )
                )
                tables.append(_table(weights, title))
        if maps:
            parts.append(grid(maps) + folded(f"{group.label} in numbers", "".join(tables)))
    if not parts:
        return Html("")
    explanation = note(
        "The mean weight that the adaptation layer gives to a feature in a domain, over test queries on the user's "
        "side and over the domain's corpus on the item's side. Compare the domains within a row: the influence of a "
        "feature also depends on the size of its embedding. Each heat map has its own scale; darker is larger."
    )
    return Html(f"<h2>Feature weights by domain</h2>{explanation}{''.join(parts)}")


def weights_map(weights: Sequence[ByFeature], *, title: str) -> Specification:
    """A heat map of the mean over runs."""
    estimates = estimates_by_feature(weights)
    rows = [
        {"domain": domain, "feature": feature, "weight": estimate.mean}
        for domain, row in estimates.items()
        for feature, estimate in zip(weights[0].features, row, strict=True)
    ]
    return heat_map(
        rows,
        x="domain",
        y="feature",
        value="weight",
        title=title,
        x_order=list(estimates),
        y_order=weights[0].features,
    )


def _table(weights: Sequence[ByFeature], title: str) -> Html:
    estimates = estimates_by_feature(weights)
    rows = [
        [text(feature), *(mean_spread(row[index]) for row in estimates.values())]
        for index, feature in enumerate(weights[0].features)
    ]
    return table([f"Feature, {title}", *estimates], rows, caption=f"Weight of each feature, {title}")
