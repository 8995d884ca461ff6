"""What each domain looks at: the mean weight of each feature, as a heat map and as a table (the paper's Fig. 5)."""

from collections.abc import Sequence

from adi.evaluation.groups import Group, over_runs
from adi.report.charts import Specification
from adi.report.elements import Figures, folded, grid, note
from adi.report.heat import heat_map
from adi.report.tables import Html, mean_spread, table, text
from adi.runs.by_feature import INTEREST, ByFeature, read_by_feature

NAMES = {"user": "user's side", "item": "item's side"}


def interest(groups: Sequence[Group], figures: Figures) -> Html:
    """A heat map of each side of each model that weighs its features; empty where none does."""
    parts = []
    for group in groups:
        read = [read_by_feature(run.folder / INTEREST) for run in group.runs]
        sides = {side: [one[side] for one in read if side in one] for side in NAMES}
        maps = [
            figures.add(
                weights_map(found, title=f"{group.label}, {NAMES[side]}"),
                about=f"Weight of each feature by domain, {group.label}, {NAMES[side]}",
            )
            for side, found in sides.items()
            if found
        ]
        if maps:
            tables = "".join(_table(found, f"{group.label}, {NAMES[side]}") for side, found in sides.items() if found)
            parts.append(grid(maps) + folded(f"{group.label} in numbers", tables))
    if not parts:
        return Html("")
    explained = note(
        "The mean weight that the adaptation layer gives to a feature in a domain, over test queries and over the "
        "items of the domain's corpus. Compare the domains within a row: how much a feature matters also depends on "
        "the size of its embedding. Every heat map has its own scale, the darker the larger."
    )
    return Html(f"<h2>What each domain looks at</h2>{explained}{''.join(parts)}")


def weights_map(found: Sequence[ByFeature], *, title: str) -> Specification:
    """The heat map of the mean over runs."""
    means = over_runs(found)
    rows = [
        {"domain": domain, "feature": feature, "weight": estimate.mean}
        for domain, estimates in means.items()
        for feature, estimate in zip(found[0].features, estimates, strict=True)
    ]
    return heat_map(
        rows, x="domain", y="feature", value="weight", title=title, x_order=list(means), y_order=found[0].features
    )


def _table(found: Sequence[ByFeature], caption: str) -> Html:
    means = over_runs(found)
    rows = [
        [text(feature), *(mean_spread(estimates[place]) for estimates in means.values())]
        for place, feature in enumerate(found[0].features)
    ]
    return table([f"Feature, {caption}", *means], rows, caption=f"Weight of each feature, {caption}")
