"""The section of a report on what lists hold: novelty, popularity bias, coverage, and overlap of the domains."""

from collections.abc import Callable, Sequence
from functools import partial

from adi.report.charts import Row, heat_map
from adi.report.elements import Figures, Html, folded, grid, mean_spread, note, table, text
from adi.runs.groups import Estimate, RunGroup

MOST_SIDE_BY_SIDE = 5
"""Domains with which two tables fit beside each other."""

MEASURES: dict[str, tuple[str, int, str]] = {
    "novelty": ("Novelty in bits", 2, "The mean self-information of the listed items. One more bit: half as popular."),
    "popularity_rank": (
        "Popularity rank",
        3,
        (
            "The mean rank of the listed items by training rows, as a share of the domain's items: near 0 are the most "
            "popular ones, 0.5 is as drawn at random."
        ),
    ),
    "head_share": (
        "Share of the head",
        3,
        (
            "The share of list places with one of the most popular items that together have half of the training rows. "
            "Above 0.5, lists lean on popular items more than the log does."
        ),
    ),
}
"""Each measure of `adi.evaluation.list_measures`: its name for people, its decimals, and how to read it."""


def list_contents(groups: Sequence[RunGroup], figures: Figures, *, k: int) -> Html:
    """Tables of each measure by domain and model, then the overlap of the domains by model."""
    title = "<h2>What the lists hold</h2>"
    measured = [run.metrics.lists for group in groups for run in group.runs if run.metrics.lists is not None]
    if not measured:
        return Html(title + note("Not available: these runs were evaluated by an older adi. Evaluate them again."))
    lengths = " or ".join(str(length) for length in sorted({lists.k for lists in measured}))
    queries = max(int(measures["queries"] or 0) for lists in measured for measures in lists.domains.values())
    explanation = note(
        f"From the first {lengths} items of the lists of at most {queries:,} test queries of each domain. None of "
        "these is better when it is higher: read them beside recall."
    )
    tables = []
    for name, (heading, decimals, meaning) in MEASURES.items():
        by_domain = _table(groups, heading, decimals, partial(_of_lists, name=name))
        tables.append(f"<div><h3>{heading}</h3>{note(meaning)}{by_domain}</div>")
    coverage = f"coverage@{k}"
    if any(coverage in group.measures for group in groups):
        meaning = f"The share of a domain's items that are in the first {k} of any test query's list."
        by_domain = _table(groups, f"Coverage@{k}", 3, partial(_in_domain, name=coverage))
        tables.append(f"<div><h3>Coverage@{k}</h3>{note(meaning)}{by_domain}</div>")
    layout = ' class="tables"' if len(groups[0].domains) <= MOST_SIDE_BY_SIDE else ""
    return Html(f"{title}{explanation}<div{layout}>{''.join(tables)}</div>{_overlap(groups, figures)}")


def _table(
    groups: Sequence[RunGroup], heading: str, decimals: int, estimate: Callable[[RunGroup, str], Estimate]
) -> Html:
    """A measure of each model by domain."""
    domains = groups[0].domains
    rows = [
        [text(group.label), *(mean_spread(estimate(group, domain), decimals=decimals) for domain in domains)]
        for group in groups
    ]
    return table(["Model", *domains], rows, caption=heading)


def _in_domain(group: RunGroup, domain: str, *, name: str) -> Estimate:
    return group.measure(name, domain=domain)


def _of_lists(group: RunGroup, domain: str, *, name: str) -> Estimate:
    """The estimate of a measure of lists; undefined in runs of an older adi."""
    lists = [run.metrics.lists for run in group.runs]
    return Estimate.of(None if each is None else each.domains.get(domain, {}).get(name) for each in lists)


def _overlap(groups: Sequence[RunGroup], figures: Figures) -> str:
    """A heat map of the overlap of each pair of domains, for each model, and its numbers."""
    domains, maps, tables = groups[0].domains, [], []
    for group in groups:
        measured = [run.metrics.lists for run in group.runs if run.metrics.lists is not None]
        if not measured or len(domains) < 2:
            continue
        estimates = {
            (domain, other): Estimate.of(lists.overlap.get(domain, {}).get(other) for lists in measured)
            for domain in domains
            for other in domains
        }
        cells: list[Row] = [
            {"domain": domain, "other domain": other, "overlap": None if domain == other else estimate.mean}
            for (domain, other), estimate in estimates.items()
        ]
        chart = heat_map(
            cells, x="other domain", y="domain", value="overlap", title=group.label, x_order=domains, y_order=domains
        )
        maps.append(figures.add(chart, about=f"Overlap of the lists of domains, {group.label}", columns=len(domains)))
        rows = [
            [text(domain), *(mean_spread(estimates[domain, other], decimals=3) for other in domains)]
            for domain in domains
        ]
        caption = f"Overlap of the lists, {group.label}"
        tables.append(f"<h4>{text(group.label)}</h4>{table(['Domain', *domains], rows, caption=caption)}")
    if not maps:
        return ""
    meaning = (
        "How far two domains show the same items as often: the sum over items of the smaller of their shares of list "
        "places. 0: none in common. Where domains share few items, their lists cannot overlap."
    )
    return (
        f"<h3>Overlap between the domains' lists</h3>{note(meaning)}{grid(maps)}{folded('In numbers', ''.join(tables))}"
    )
