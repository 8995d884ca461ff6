"""Sections of a reproduction's report: tables of methods beside the paper's, and curves over shared networks."""

from collections.abc import Mapping, Sequence
from typing import get_args

from adi.report.charts import display_name
from adi.report.elements import (
    UNDEFINED,
    Figures,
    Html,
    bold_highest,
    count,
    folded,
    grid,
    mean_spread,
    note,
    table,
    text,
)
from adi.reproduce import charts
from adi.reproduce.datasets import DATASETS
from adi.reproduce.orderings import Agreement, Ordering, Pair
from adi.reproduce.paper import TABLE_2, Published
from adi.reproduce.results import Results
from adi.runs.groups import Estimate, RunGroup

MARKS: dict[Agreement, str] = {"disagrees": "✗", "not decided": "?", "agrees": "✓"}
"""Marks beside the words, in the order in which pairs are listed."""

Orderings = Mapping[str, Sequence[Ordering]]
"""The orderings of each table on a data set, by the name of its results."""


def methods(results: Sequence[Results], orderings: Orderings, figures: Figures) -> Html:
    """A table of methods on each of its data sets, beside the paper's numbers."""
    parts = [heading(results)]
    for result in results:
        parts += [dataset_heading(result), side_by_side(result), remarks(result)]
        if result.frozen is not None:
            parts.append(side_by_side(result.frozen, test="frozen"))
        if result.finished:
            dots = [
                figures.add(charts.dots(result, domain=domain), about=f"{result.name}, {domain or 'mean'}: each method")
                for domain in (None, *result.domains)
            ]
            parts += [charts.legend(charts.looks_of(result)), grid(dots)]
        parts += [_ordering(ordering, result) for ordering in orderings[result.name]]
    if results[0].table.published is TABLE_2[500]:
        parts.append(folded("The paper's complete Table 2", "".join(_published(table) for table in TABLE_2.values())))
    return Html("".join(parts))


def curve(results: Sequence[Results], figures: Figures) -> Html:
    """Recall over the number of shared networks, with the course of each method in words."""
    parts = [heading(results)]
    for result in results:
        lines = [
            figures.add(
                charts.curves(result, domain=domain), about=f"{result.name}, {domain or 'mean'}: by shared networks"
            )
            for domain in (None, *result.domains)
            if result.finished
        ]
        legend = charts.legend(charts.looks_of(result))
        parts += [dataset_heading(result), _courses(result), legend, grid(lines), _numbers(result), remarks(result)]
    return Html("".join(parts))


def heading(results: Sequence[Results]) -> str:
    shown = results[0].table
    return f'<h2 id="{shown.name}">{text(shown.title)}</h2><p>{text(shown.about)}</p>'


def dataset_heading(results: Results) -> str:
    about = text(DATASETS[results.dataset].about)
    return f'<h3 id="{results.name}">{text(results.dataset)}</h3><p>{about}</p>'


def remarks(results: Results) -> str:
    """Notes on the number of seeds, and on rows that are missing and why."""
    seeds = sorted({len(group.runs) for _, group in results.finished if group.trained})
    sentences = []
    if seeds and seeds[-1] > 1:
        numbers = " or ".join(str(number) for number in seeds)
        sentences.append(f"± is the standard deviation over {numbers} seeds; methods without randomness have one run.")
    elif seeds:
        sentences.append("One seed: the spread between seeds is unknown.")
    sentences += [
        f"{row.label} is left out: {row.absent[results.dataset]}."
        for row in results.table.rows
        if results.dataset in row.absent
    ]
    if missing := [outcome.row.label for outcome in results.outcomes if outcome.group is None and not outcome.failures]:
        sentences.append(f"Not run: {', '.join(missing)}.")
    failed = [f"Failed: {outcome.row.label}, {failure}" for outcome in results.outcomes for failure in outcome.failures]
    return "".join(note(sentence) for sentence in (" ".join(sentences), *failed) if sentence)


def side_by_side(results: Results, *, test: str = "") -> Html:
    """Our mean ± spread by domain and on average, the number of parameters, and the paper's numbers.

    `test` names the test where the data set has several.
    """
    shown, published, columns = results.table, results.table.published, (*results.domains, None)
    cells_by_column = [
        bold_highest([group.measure(shown.measure, domain=domain) for _, group in results.finished])
        for domain in columns
    ]
    labels = [row.label for row, _ in results.finished]
    cells_by_label = dict(zip(labels, zip(*cells_by_column, strict=True), strict=True))
    paper_cells = {} if published is None else _published_cells(published)
    rows = []
    for outcome in results.outcomes:
        label = outcome.row.label
        missing = [text("failed") if outcome.failures else UNDEFINED] * len(columns)
        parameters = count(outcome.group.runs[0].info.parameters if outcome.group else None)
        empty = [Html("")] * (len(published.domains) + 1 if published else 0)
        paper = paper_cells.get(outcome.row.method, empty)
        rows.append([text(label), *cells_by_label.get(label, missing), parameters, *paper])
    head = ["Method", *results.domains, "Mean", "Parameters"]
    title = " ".join([results.dataset, test]).strip()
    spans = [("", 1), (f"{display_name(shown.measure)} here, {title}", len(columns)), ("", 1)]
    if published is not None:
        head += [*published.domains, "Mean"]
        spans.append((f"The paper's {published.measure}, {published.data}", len(published.domains) + 1))
    return table(head, rows, caption=f"{shown.title}, {title}", kind="numbers dense", spans=spans)


def _published_cells(published: Published) -> dict[str | None, tuple[Html, ...]]:
    """The paper's numbers of each method, the mean last; the highest of a column in bold."""
    rows = [(*values, published.mean(method)) for method, values in published.recall.items()]
    columns = [bold_highest([Estimate(value) for value in column]) for column in zip(*rows, strict=True)]
    return dict(zip(published.recall, zip(*columns, strict=True), strict=True))


def _published(published: Published) -> Html:
    rows = [[text(method), *cells] for method, cells in _published_cells(published).items()]
    return table([published.measure, *published.domains, "Mean"], rows, caption=f"The paper's {published.measure}")


def _ordering(ordering: Ordering, results: Results) -> str:
    """The number of pairs that agree with the paper, those that disagree in words, and all with their intervals."""
    counts = {agreement: len(ordering.of(agreement)) for agreement in get_args(Agreement)}
    title = f"<h4>The order of methods{', ' if ordering.form else ''}{text(ordering.form)}</h4>"
    pairs = f"{len(ordering.pairs)} pair{'' if len(ordering.pairs) == 1 else 's'}"
    summary = (
        f"Of {pairs} of methods, by their means over the domains: {counts['agrees']} in the "
        f"paper's order, {counts['disagrees']} in reverse order, {counts['not decided']} without a statistically "
        f"significant difference (95 % interval over users and seeds). Kendall's tau {ordering.tau:+.2f}."
    )
    reversed_pairs = "".join(f"<li>{text(_sentence(pair))}</li>" for pair in ordering.of("disagrees"))
    rows = [
        [
            text(f"{pair.above} above {pair.below}"),
            text(f"{pair.published:+.4f}"),
            text(f"{pair.measured:+.4f}"),
            text(f"{pair.low:+.4f} to {pair.high:+.4f}"),
            text(f"{mark} {agreement}"),
        ]
        for agreement, mark in MARKS.items()
        for pair in ordering.of(agreement)
    ]
    measure = "" if results.table.published is None else results.table.published.measure
    head = ["In the paper", f"by {measure}", f"Here, {display_name(results.table.measure)}", "95 % interval", "Result"]
    every_pair = table(head, rows, caption=f"Pairs of methods, {results.name} {ordering.form}")
    listed = f'<ul class="notes">{reversed_pairs}</ul>' if reversed_pairs else ""
    return f"{title}<p>{text(summary)}</p>{listed}{folded('All pairs of methods', every_pair)}"


def _sentence(pair: Pair) -> str:
    return (
        f"{MARKS['disagrees']} {pair.below} is above {pair.above}, by {-pair.measured:.4f} ({-pair.high:.4f} to "
        f"{-pair.low:.4f}); in the paper it is below, by {pair.published:.4f}."
    )


def _courses(results: Results) -> str:
    by_method: dict[str, dict[int, RunGroup]] = {}
    for row, group in results.finished:
        if row.method is not None and row.networks is not None:
            by_method.setdefault(row.method, {})[row.networks] = group
    sentences = [
        f"{method} {course({count: group.measure(results.table.measure) for count, group in groups.items()})}."
        for method, groups in by_method.items()
    ]
    return f'<ul class="notes">{"".join(f"<li>{text(sentence)}</li>" for sentence in sentences)}</ul>'


def course(estimates: Mapping[int, Estimate]) -> str:
    """``rises from 0.7010 at K = 1 to 0.7120 at K = 5``: the course of a curve as far as the seeds' spreads allow.

    Two points differ where the distance of their means exceeds the sum of their spreads.
    """
    defined = {count: estimate for count, estimate in sorted(estimates.items()) if estimate.mean is not None}
    if len(defined) < 2:
        return "has fewer than two points"
    first, *_, last = defined
    highest, lowest = (choose(defined, key=lambda count: defined[count].mean or 0) for choose in (max, min))

    def at(count: int) -> str:
        return f"{defined[count].mean:.4f} at K = {count}"

    rises, falls = _above(defined[highest], defined[first]), _above(defined[highest], defined[last])
    if rises and falls:
        return f"rises, then falls, from {at(first)} to {at(highest)} and {at(last)}"
    if _above(defined[first], defined[lowest]) and _above(defined[last], defined[lowest]):
        return f"falls, then rises, from {at(first)} to {at(lowest)} and {at(last)}"
    words = "rises" if rises else "falls" if falls else "neither rises nor falls by more than its spread,"
    return f"{words} from {at(first)} to {at(last)}"


def _above(high: Estimate, low: Estimate) -> bool:
    return (high.mean or 0) - (low.mean or 0) > (high.spread or 0) + (low.spread or 0)


def _numbers(results: Results) -> str:
    measure = results.table.measure
    rows = [
        [text(row.label), *(mean_spread(group.measure(measure, domain=domain)) for domain in (*results.domains, None))]
        for row, group in results.finished
    ]
    return folded("In numbers", table(["Method", *results.domains, "Mean"], rows, caption=f"{results.name} in numbers"))
