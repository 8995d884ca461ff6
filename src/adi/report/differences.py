"""The section of a report that compares each model with the baseline: verdicts, intervals, overlap of the domains."""

from collections.abc import Sequence

import altair as alt

from adi.comparison.compare import check_baseline, compare_groups
from adi.comparison.difference import FEWEST_USERS, Difference
from adi.comparison.result import Comparison
from adi.data.overlap import Overlap, Overlaps, overlaps
from adi.errors import AdiError
from adi.evaluation.breakdown import BREAKDOWNS
from adi.report.charts import (
    BAR_STEP,
    LABEL_WIDTH,
    LINE_HEIGHT,
    Row,
    Specification,
    colour,
    display_name,
    readable,
    shape,
    short,
    title_of,
    two_lines,
)
from adi.report.elements import DECIMALS, UNDEFINED, Figures, Html, count, grid, legend, note, table, text
from adi.runs.groups import RunGroup


def compared(groups: Sequence[RunGroup], *, k: int, baseline: str | None) -> Comparison | AdiError | None:
    """The comparison of the models by all breakdowns; None for a single model.

    For runs that do not compare, such as those evaluated by an adi that kept no ranks, the error, for the page to show.
    Raises `AdiError` for a baseline that is not among the models.
    """
    check_baseline(groups, baseline)
    if len(groups) < 2:
        return None
    try:
        return compare_groups(groups, measure=f"recall@{k}", baseline=baseline, by=tuple(BREAKDOWNS))
    except AdiError as error:
        return error


def differences(groups: Sequence[RunGroup], figures: Figures, comparison: Comparison | AdiError | None) -> Html:
    """Differences with intervals and verdicts, then the overlap of the domains; empty for a single model."""
    if comparison is None:
        return Html("")
    if isinstance(comparison, AdiError):
        return Html(f"<h2>Differences</h2>{note(f'Not available: {comparison}')}")
    explanation = (
        f"A point is the difference to {comparison.baseline}, its line the 95 % bootstrap interval over users and "
        f"seeds ({comparison.replicates:,} replicates). Differences within the grey band (±{comparison.margin:g}) do "
        "not matter in practice. Intervals are not corrected for multiple comparisons."
    )
    summaries = "".join(f"<li>{text(_summary(comparison, model))}.</li>" for model in comparison.subjects)
    parts = [
        f"<h2>Differences in {display_name(comparison.measure)} to {text(comparison.baseline)}</h2>",
        f"<ul>{summaries}</ul>",
        note(explanation),
        *(note(sentence) for sentence in comparison.notes),
        legend(groups, shown=without_baseline(groups, comparison)),
        grid(_charts(groups, comparison, figures)),
        _table(comparison),
        _overlaps(groups),
    ]
    return Html("".join(parts))


def slice_differences(groups: Sequence[RunGroup], figures: Figures, comparison: Comparison, *, by: str) -> Html:
    """Intervals of the differences by a breakdown; empty where all of its groups have few users."""
    intervals = [
        figures.add(chart, about=f"Difference in Recall by {readable(by).lower()}, {domain}: intervals")
        for domain in groups[0].domains
        if (chart := slice_intervals(groups, comparison, by=by, domain=domain)) is not None
    ]
    if not intervals:
        return Html("")
    explanation = (
        f"The difference to {comparison.baseline} and its 95 % interval, as above. Below each group: its users; groups "
        f"of fewer than {FEWEST_USERS} are left out. By chance one in twenty intervals excludes 0 where there is no "
        "difference."
    )
    title = f"<h3>Differences to {text(comparison.baseline)} by {text(readable(by).lower())}</h3>"
    models = without_baseline(groups, comparison)
    return Html(f"{title}{note(explanation)}{legend(groups, shown=models)}{grid(intervals)}")


def without_baseline(groups: Sequence[RunGroup], comparison: Comparison) -> list[RunGroup]:
    return [group for group in groups if group.label != comparison.baseline]


def difference_intervals(
    groups: Sequence[RunGroup], comparison: Comparison, *, domain: str | None, extent: tuple[float, float]
) -> Specification:
    """Each model's difference in a domain (None: the mean), one below the other, on an axis of `extent`."""
    rows = [
        _row(difference)
        for difference in comparison.differences
        if difference.domain == domain
        and difference.mean != "queries"
        and difference.among is None
        and difference.difference is not None
    ]
    x = alt.X("low:Q", title=_axis_title(comparison), scale=alt.Scale(domain=list(extent), nice=False), axis=_signed())
    margin, zero = _margin(comparison).encode(x=x, x2="high:Q"), _zero().encode(x=x)
    base = alt.Chart(alt.InlineData(values=rows)).encode(
        y=alt.Y("model:N", title=None, sort=None, axis=alt.Axis(labelLimit=LABEL_WIDTH, ticks=False, domain=False)),
        color=colour(groups),
        tooltip=["model:N", *_numbers(), "verdict:N"],
    )
    intervals = base.mark_rule(strokeWidth=2.5).encode(x=x, x2="high:Q")
    points = base.mark_point(size=70, filled=True, opacity=1).encode(x="difference:Q", shape=shape(groups))
    chart = alt.layer(margin, zero, intervals, points)
    height = BAR_STEP * len(comparison.subjects)
    return chart.properties(title=title_of(domain), width="container", height=height).to_dict()


def slice_intervals(
    groups: Sequence[RunGroup], comparison: Comparison, *, by: str, domain: str
) -> Specification | None:
    """Each model's difference in the groups of a domain's queries, side by side, with the groups' users below.

    Groups with too few users for a verdict are left out, since their intervals would set the scale; None if all are.
    """
    names: dict[str, str] = {}
    rows = []
    for difference in comparison.differences:
        among = difference.among
        if difference.domain == domain and among is not None and among.by == by and difference.users >= FEWEST_USERS:
            names.setdefault(among.label, f"{among.label}|{short(difference.users)}")
            rows.append(_row(difference) | {"x": names[among.label]})
    if not rows:
        return None
    y = alt.Y("low:Q", title=_axis_title(comparison), axis=_signed())
    margin, zero = _margin(comparison).encode(y=y, y2="high:Q"), _zero().encode(y=y)
    base = alt.Chart(alt.InlineData(values=rows)).encode(
        x=alt.X("x:O", title=f"{readable(by)}, and users", sort=list(names.values()), axis=two_lines()),
        xOffset=alt.XOffset("model:N", sort=list(comparison.subjects)),
        color=colour(groups),
        tooltip=["model:N", alt.Tooltip("x:N", title=readable(by)), *_numbers(), "verdict:N"],
    )
    intervals = base.mark_rule(strokeWidth=2.5).encode(y=y, y2="high:Q")
    points = base.mark_point(size=50, filled=True, opacity=1).encode(y="difference:Q", shape=shape(groups))
    chart = alt.layer(margin, zero, intervals, points)
    return chart.properties(title=domain, width="container", height=LINE_HEIGHT).to_dict()


def _summary(comparison: Comparison, model: str) -> str:
    """The model's verdicts in words, with its label in front where the words do not begin with it."""
    label = "" if comparison.subjects[model] == model else f"{model}: "
    return label + comparison.summary(model)


def _charts(groups: Sequence[RunGroup], comparison: Comparison, figures: Figures) -> list[Html]:
    """One chart for each domain and the mean, on one scale."""
    shown = [difference for model in comparison.subjects for difference in comparison.of(model)]
    bounds = [bound for difference in shown for bound in (difference.low, difference.high) if bound is not None]
    low, high = min(*bounds, -comparison.margin), max(*bounds, comparison.margin)
    room = 0.05 * (high - low)
    return [
        figures.add(
            difference_intervals(groups, comparison, domain=domain, extent=(low - room, high + room)),
            about=f"Difference in {display_name(comparison.measure)}, {domain or 'mean'}: intervals",
        )
        for domain in (*groups[0].domains, None)
    ]


def _table(comparison: Comparison) -> Html:
    rows = [[text(model), *(_cell(difference) for difference in comparison.of(model))] for model in comparison.subjects]
    means = {"domains": "Mean", "queries": "Over queries"}
    domains = [
        difference.domain or means[str(difference.mean)]
        for difference in comparison.of(next(iter(comparison.subjects)))
    ]
    return table(["Model", *domains], rows, caption=f"Differences to {comparison.baseline}")


def _cell(difference: Difference) -> Html:
    change, low, high = difference.difference, difference.low, difference.high
    if change is None or low is None or high is None:
        return UNDEFINED
    interval = f"{low:+.{DECIMALS}f} to {high:+.{DECIMALS}f}"
    return Html(f'{change:+.{DECIMALS}f} {difference.verdict}<br><span class="spread">{interval}</span>')


def _overlaps(groups: Sequence[RunGroup]) -> str:
    """Users and items in common, from the prepared dataset where it still exists."""
    title = "<h3>Overlap of the domains</h3>"
    try:
        shared = overlaps(groups[0].runs[0].open_dataset())
    except AdiError as error:
        return f"{title}{note(f'Not available: {error}')}"
    explanation = "Counts over the training and validation rows: in each domain, and in both domains of each pair."
    tables = _overlap_table("Users", shared, shared.users) + _overlap_table("Items", shared, shared.items)
    return f"{title}<p>{text(shared.in_words())}.</p>{note(explanation)}{tables}"


def _overlap_table(name: str, shared: Overlaps, overlap: Overlap) -> str:
    rows = [
        [text(domain), *(count(number) for number in row)]
        for domain, row in zip(shared.domains, overlap.together.tolist(), strict=True)
    ]
    return table([name, *shared.domains], rows, caption=f"{name} in common")


def _row(difference: Difference) -> Row:
    return {name: getattr(difference, name) for name in ("model", "difference", "low", "high", "verdict")}


def _margin(comparison: Comparison) -> alt.Chart:
    """A band of the differences that do not matter in practice."""
    rows: list[Row] = [{"low": -comparison.margin, "high": comparison.margin}]
    band: alt.Chart = alt.Chart(alt.InlineData(values=rows)).mark_rect(color="#d0d7de", opacity=0.6)
    return band


def _zero() -> alt.Chart:
    """A line at 0."""
    line: alt.Chart = alt.Chart(alt.InlineData(values=[{"low": 0.0}])).mark_rule(strokeWidth=1)
    return line


def _axis_title(comparison: Comparison) -> str:
    return f"Difference in {display_name(comparison.measure)}"


def _signed() -> alt.Axis:
    return alt.Axis(tickCount=4, labelExpr="datum.value == 0 ? '0' : format(datum.value, '+.3~f')")


def _numbers() -> list[alt.Tooltip]:
    return [alt.Tooltip(f"{name}:Q", format="+.4f") for name in ("difference", "low", "high")]
