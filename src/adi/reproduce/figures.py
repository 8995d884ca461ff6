"""The sections of the paper's figures: recall against the number of shared networks, and what each domain looks at."""

from collections.abc import Mapping, Sequence

from adi.evaluation.groups import Estimate, Group
from adi.report.charts import Specification
from adi.report.elements import Figures, folded, grid, note
from adi.report.heat import heat_map
from adi.report.interest import NAMES
from adi.report.tables import UNDEFINED, Html, mean_spread, table, text
from adi.reproduce import charts
from adi.reproduce.interest import FEWEST_FEATURES, Looked, looked_at
from adi.reproduce.results import Results
from adi.reproduce.sections import dataset_heading, heading, remarks

HOW_TO_READ = (
    "Every heat map has its own colours: a weight is the darker, the larger; a fall is orange where recall loses "
    "without the feature, and blue where it gains. The correlation is Spearman's, of the sizes of the weights and the "
    f"falls: 1 where both rank the features alike. A side with less than {FEWEST_FEATURES} features has none. Falls "
    "are of at most 5,000 test queries of a domain."
)


def curve(results: Sequence[Results], figures: Figures) -> Html:
    """Recall against the number of shared networks, with the course of each method in words."""
    parts = [heading(results)]
    for one in results:
        drawn = [
            figures.add(charts.curves(one, domain=domain), about=f"{one.name}, {domain or 'mean'}: by shared networks")
            for domain in (None, *one.domains)
            if one.reached
        ]
        key = charts.key(charts.looks_of(one))
        parts += [dataset_heading(one), _courses(one), key, grid(drawn), _numbers(one), remarks(one)]
    return Html("".join(parts))


def _courses(results: Results) -> str:
    by_method: dict[str, dict[int, Group]] = {}
    for row, group in results.reached:
        if row.method is not None and row.networks is not None:
            by_method.setdefault(row.method, {})[row.networks] = group
    said = [
        f"{method} {course({count: group.measure(results.table.measure) for count, group in groups.items()})}."
        for method, groups in by_method.items()
    ]
    return f'<ul class="notes">{"".join(f"<li>{text(sentence)}</li>" for sentence in said)}</ul>'


def course(estimates: Mapping[int, Estimate]) -> str:
    """``rises from 0.7010 at K = 1 to 0.7120 at K = 5``: as much of a course as the spreads over seeds allow.

    Two numbers of networks differ where the means are further apart than both spreads together.
    """
    known = {count: one for count, one in sorted(estimates.items()) if one.mean is not None}
    if len(known) < 2:
        return "has no course yet"
    first, *_, last = known
    highest, lowest = (choose(known, key=lambda count: known[count].mean or 0) for choose in (max, min))

    def at(count: int) -> str:
        return f"{known[count].mean:.4f} at K = {count}"

    rises, falls = _above(known[highest], known[first]), _above(known[highest], known[last])
    if rises and falls:
        return f"rises, then falls, from {at(first)} to {at(highest)} and {at(last)}"
    if _above(known[first], known[lowest]) and _above(known[last], known[lowest]):
        return f"falls, then rises, from {at(first)} to {at(lowest)} and {at(last)}"
    words = "rises" if rises else "falls" if falls else "neither rises nor falls by more than its spread,"
    return f"{words} from {at(first)} to {at(last)}"


def _above(high: Estimate, low: Estimate) -> bool:
    return (high.mean or 0) - (low.mean or 0) > (high.spread or 0) + (low.spread or 0)


def _numbers(results: Results) -> str:
    rows = [
        [
            text(row.label),
            *(mean_spread(group.measure(results.table.measure, domain=domain)) for domain in (*results.domains, None)),
        ]
        for row, group in results.reached
    ]
    return folded("In numbers", table(["Method", *results.domains, "Mean"], rows, caption=f"{results.name} in numbers"))


def interest(results: Sequence[Results], figures: Figures) -> Html:
    """What each domain looks at, and what it loses without it: heat maps, how alike they are, and the numbers."""
    parts = [heading(results), note(HOW_TO_READ)]
    for one in results:
        parts += [dataset_heading(one), remarks(one)]
        for row, group in one.reached:
            sides = looked_at(group)
            if not sides:
                parts.append(note(f"{row.label}: its features are not looked at yet."))
                continue
            parts.append(_agreement(sides, row.label))
            for side in sides:
                maps = interest_maps(side, row.label)
                parts.append(grid([figures.add(drawn, about=f"{one.name}, {drawn['title']}") for drawn in maps]))
            parts.append(folded(f"{row.label} in numbers", "".join(_table(side, row.label) for side in sides)))
    return Html("".join(parts))


def interest_maps(looked: Looked, label: str) -> list[Specification]:
    """The heat map of the weights of a side, and that of the falls."""

    def drawn(
        values: Mapping[str, tuple[Estimate, ...]], what: str, *, number_format: str, around_zero: bool
    ) -> Specification:
        return heat_map(
            [
                {"domain": domain, "feature": feature, what: estimate.mean}
                for domain, estimates in values.items()
                for feature, estimate in zip(looked.features, estimates, strict=True)
            ],
            x="domain",
            y="feature",
            value=what,
            title=f"{label}, {NAMES[looked.side]}: {what}",
            x_order=list(values),
            y_order=looked.features,
            number_format=number_format,
            around_zero=around_zero,
        )

    return [
        drawn(looked.weights, "weight", number_format=".2f", around_zero=False),
        drawn(looked.falls, "fall of Recall@50", number_format=".3f", around_zero=True),
    ]


def _agreement(sides: Sequence[Looked], label: str) -> str:
    """How alike the weights and the falls rank the features, in each domain."""
    rows = [
        [
            text(f"{label}, {NAMES[side.side]}"),
            text(len(side.features)),
            *(UNDEFINED if one is None else text(f"{one:+.2f}") for one in side.correlation.values()),
        ]
        for side in sides
    ]
    head = ["Correlation of weight and fall", "Features", *sides[0].correlation]
    return table(head, rows, caption=f"Correlation of weight and fall, {label}")


def _table(looked: Looked, label: str) -> Html:
    domains = list(looked.weights)
    rows = [
        [
            text(feature),
            *(mean_spread(values[domain][place]) for values in (looked.weights, looked.falls) for domain in domains),
        ]
        for place, feature in enumerate(looked.features)
    ]
    spans = [("", 1), ("Weight", len(domains)), ("Fall of Recall@50 without it", len(domains))]
    caption = f"{label}, {NAMES[looked.side]}: weights and falls"
    return table([f"Feature, {NAMES[looked.side]}", *domains, *domains], rows, caption=caption, spans=spans)
