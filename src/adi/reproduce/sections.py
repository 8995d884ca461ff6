"""The sections of a reproduction's report: each table beside the paper's, and the order of its methods compared."""

from collections.abc import Mapping, Sequence
from typing import get_args

from adi.evaluation.groups import Estimate
from adi.report.charts import named
from adi.report.elements import Figures, folded, grid, note
from adi.report.tables import UNDEFINED, Html, best_in_bold, count, table, text
from adi.reproduce import charts
from adi.reproduce.datasets import DATASETS
from adi.reproduce.orderings import Ordering, Pair, Verdict
from adi.reproduce.paper import TABLE_2, Published
from adi.reproduce.results import Results

MARKS: dict[Verdict, str] = {"disagrees": "✗", "not decided": "?", "agrees": "✓"}
"""Beside the words, in the order in which pairs are listed."""

Orderings = Mapping[str, Sequence[Ordering]]
"""Those of each table on a data set, by the name of its results."""


def methods(results: Sequence[Results], orderings: Orderings, figures: Figures) -> Html:
    """A table of methods: what came out on each data set, beside the paper's numbers."""
    parts = [heading(results)]
    for one in results:
        parts += [dataset_heading(one), side_by_side(one), remarks(one)]
        if one.reached:
            drawn = [
                figures.add(charts.dots(one, domain=domain), about=f"{one.name}, {domain or 'mean'}: each method")
                for domain in (None, *one.domains)
            ]
            parts += [charts.key(charts.looks_of(one)), grid(drawn)]
        parts += [_ordering(ordering, one) for ordering in orderings[one.name]]
    if results[0].table.published is TABLE_2[500]:
        whole = "".join(_published(published) for published in TABLE_2.values())
        parts.append(folded("The paper's Table 2 in whole", whole))
    return Html("".join(parts))


def heading(results: Sequence[Results]) -> str:
    shown = results[0].table
    return f'<h2 id="{shown.name}">{text(shown.title)}</h2><p>{text(shown.about)}</p>'


def dataset_heading(results: Results) -> str:
    about = text(DATASETS[results.dataset].about)
    return f'<h3 id="{results.name}">{text(results.dataset)}</h3><p>{about}</p>'


def side_by_side(results: Results) -> Html:
    """Our mean ± spread in each domain and on average, the size of the model, and the same of the paper's data."""
    shown, published, places = results.table, results.table.published, (*results.domains, None)
    ours = [
        best_in_bold([group.measure(shown.measure, domain=domain) for _, group in results.reached]) for domain in places
    ]
    reached = dict(zip((row.label for row, _ in results.reached), zip(*ours, strict=True), strict=True))
    theirs = {} if published is None else _cells(published)
    rows = []
    for one in results.outcomes:
        empty = [text("failed") if one.failures else UNDEFINED] * len(places)
        size = count(one.group.runs[0].info.parameters if one.group else None)
        nothing = [Html("")] * (len(published.domains) + 1 if published else 0)
        rows.append(
            [text(one.row.label), *reached.get(one.row.label, empty), size, *theirs.get(one.row.method, nothing)]
        )
    head = ["Method", *results.domains, "Mean", "Parameters"]
    spans = [("", 1), (f"{named(shown.measure)} here, {results.dataset}", len(places)), ("", 1)]
    if published is not None:
        head += [*published.domains, "Mean"]
        spans.append((f"The paper's {published.measure}, {published.data}", len(published.domains) + 1))
    return table(head, rows, caption=f"{shown.title}, {results.dataset}", kind="numbers dense", spans=spans)


def _cells(published: Published) -> dict[str | None, tuple[Html, ...]]:
    """The paper's row of each method, the mean last; the best of a column is bold."""
    rows = [(*values, published.mean(method)) for method, values in published.recall.items()]
    columns = [best_in_bold([Estimate(value) for value in column]) for column in zip(*rows, strict=True)]
    return dict(zip(published.recall, zip(*columns, strict=True), strict=True))


def _published(published: Published) -> Html:
    rows = [[text(method), *cells] for method, cells in _cells(published).items()]
    return table([published.measure, *published.domains, "Mean"], rows, caption=f"The paper's {published.measure}")


def remarks(results: Results) -> str:
    """How many seeds there are, and what is not in the table and why."""
    seeds = sorted({len(group.runs) for _, group in results.reached if group.trained})
    said = []
    if seeds and seeds[-1] > 1:
        numbers = " or ".join(str(number) for number in seeds)
        said.append(f"± is the standard deviation over {numbers} seeds; what draws nothing has one run.")
    elif seeds:
        said.append("One seed: how far seeds spread is not known.")
    said += [
        f"{row.label} is not here: {row.absent[results.dataset]}."
        for row in results.table.rows
        if results.dataset in row.absent
    ]
    if missing := [one.row.label for one in results.outcomes if one.group is None and not one.failures]:
        said.append(f"Not run: {', '.join(missing)}.")
    failed = [f"Failed: {one.row.label}, {failure}" for one in results.outcomes for failure in one.failures]
    return "".join(note(sentence) for sentence in (" ".join(said), *failed) if sentence)


def _ordering(ordering: Ordering, results: Results) -> str:
    """How many pairs agree, in words which do not, and all of them with their intervals."""
    numbers = {verdict: len(ordering.of(verdict)) for verdict in get_args(Verdict)}
    title = f"<h4>The order of methods{', ' if ordering.form else ''}{text(ordering.form)}</h4>"
    pairs = f"{len(ordering.pairs)} pair{'' if len(ordering.pairs) == 1 else 's'}"
    summary = (
        f"Of {pairs} of methods, by their means over the domains: {numbers['agrees']} in the "
        f"paper's order, {numbers['disagrees']} in the reverse, {numbers['not decided']} not decided (0 is within the "
        f"95 % interval over users and seeds). Kendall's tau {ordering.tau:+.2f}."
    )
    against = "".join(f"<li>{text(_sentence(pair))}</li>" for pair in ordering.of("disagrees"))
    rows = [
        [
            text(f"{pair.above} above {pair.below}"),
            text(f"{pair.published:+.4f}"),
            text(f"{pair.here:+.4f}"),
            text(f"{pair.low:+.4f} to {pair.high:+.4f}"),
            text(f"{mark} {verdict}"),
        ]
        for verdict, mark in MARKS.items()
        for pair in ordering.of(verdict)
    ]
    measured = "" if results.table.published is None else results.table.published.measure
    head = ["The paper has", f"by {measured}", f"Here, {named(results.table.measure)}", "95 % interval", "It"]
    every = table(head, rows, caption=f"Pairs of methods, {results.name} {ordering.form}")
    listed = f'<ul class="notes">{against}</ul>' if against else ""
    return f"{title}<p>{text(summary)}</p>{listed}{folded('Every pair of methods', every)}"


def _sentence(pair: Pair) -> str:
    return (
        f"{MARKS['disagrees']} {pair.below} is above {pair.above}, by {-pair.here:.4f} ({-pair.high:.4f} to "
        f"{-pair.low:.4f}); in the paper it is below, by {pair.published:.4f}."
    )
