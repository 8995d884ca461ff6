"""Charts of a report as Vega-Lite specifications, one domain in each, so that a page can set them side by side.

Colour and shape stand for the model and are the same in every chart; a legend on the page explains them. The colours
are those of Okabe and Ito, "Color Universal Design" (2008), which colour-blind readers can distinguish, without the
yellow that is faint on white, and with grey for black, which is not seen on a dark page.
"""

from collections.abc import Callable, Sequence
from typing import Any

import altair as alt

from adi.runs.epochs import Epoch
from adi.runs.groups import Estimate, RunGroup

Specification = dict[str, Any]
Row = dict[str, str | float | None]

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7A8087")
SHAPES = {"circle": "●", "square": "■", "triangle-up": "▲", "diamond": "◆", "triangle-down": "▼"}
"""Vega's names and the characters that look like them. 7 colours and 5 shapes in turn distinguish 35 models."""

LINE_HEIGHT = 200
MOST_TICKS = 10
BAR_STEP = 26
CELL_HEIGHT = 26
LABEL_WIDTH = 110
"""Pixels: the height of a line chart, of a bar with its gap, of a row of a heat map, and the width of names beside an
axis. The page chooses the width of charts: four fit side by side at 1280 pixels."""

MIN_COLOUR_SPAN = 0.2
"""The smallest range of values that the colours of a heat map cover, as a share of the largest value, so that values
that are nearly equal look nearly equal."""

NAMES = {"ndcg": "NDCG", "mrr": "MRR", "recall": "Recall", "coverage": "Coverage"}


def looks(groups: Sequence[RunGroup]) -> list[tuple[str, str, str]]:
    """Each model's label, colour and shape, the shape as a character."""
    labels = [group.label for group in groups]
    shapes = _in_turn(list(SHAPES.values()), len(labels))
    return list(zip(labels, _in_turn(COLOURS, len(labels)), shapes, strict=True))


def recall_bars(groups: Sequence[RunGroup], *, domain: str | None, k: int, top: float) -> Specification:
    """Bars of each model's recall@k in a domain (None: the mean), on an axis to `top`, with the spread of the seeds."""
    rows: list[Row] = []
    for group in groups:
        recall = group.measure(f"recall@{k}", domain=domain)
        if recall.mean is not None:
            spread = recall.spread or 0.0
            low, high = recall.mean - spread, recall.mean + spread
            rows.append({"model": group.label, "recall": recall.mean, "low": low, "high": high})
    title = f"Recall@{k}"
    base = alt.Chart(alt.InlineData(values=rows)).encode(
        y=alt.Y("model:N", title=None, sort=None, axis=alt.Axis(labelLimit=LABEL_WIDTH, ticks=False, domain=False))
    )
    bars = base.mark_bar(height=15).encode(
        x=alt.X("recall:Q", title=title, scale=alt.Scale(domain=[0, top]), axis=alt.Axis(tickCount=3)),
        color=colour(groups),
        tooltip=["model:N", alt.Tooltip("recall:Q", title=title, format=".4f")],
    )
    spreads = base.mark_rule(strokeWidth=1.5).encode(x="low:Q", x2="high:Q")
    numbers = base.mark_text(align="left", dx=4).encode(x="high:Q", text=alt.Text("recall:Q", format=".3f"))
    chart = alt.layer(bars, spreads, numbers)
    return chart.properties(title=title_of(domain), width="container", height=BAR_STEP * len(groups)).to_dict()


def recall_curve(groups: Sequence[RunGroup], *, domain: str | None, ks: Sequence[int]) -> Specification:
    """Lines of each model's recall@N over N in a domain (None: the mean)."""
    rows: list[Row] = [
        {"model": group.label, "x": k, "value": group.measure(f"recall@{k}", domain=domain).mean}
        for group in groups
        for k in ks
    ]
    x = alt.X("x:Q", axis=alt.Axis(values=list(ks), format="d"), scale=alt.Scale(nice=False))
    return _lines(groups, rows, x=x, x_title="N", title=title_of(domain), y_title="Recall@N")


def loss_curve(groups: Sequence[RunGroup]) -> Specification:
    """Training loss by epoch, a line for each run."""
    return _by_epoch(groups, lambda epoch: epoch.loss, title="Training loss", y_title="Loss")


def validation_curve(groups: Sequence[RunGroup], *, domain: str | None, measure: str) -> Specification:
    """A measure on the validation part by epoch, in a domain (None: the mean), a line for each run."""

    def value(epoch: Epoch) -> float | None:
        if epoch.validation is None:
            return None
        measures = epoch.validation.mean if domain is None else epoch.validation.domains.get(domain, {})
        return measures.get(measure)

    return _by_epoch(groups, value, title=title_of(domain), y_title=f"Validation {display_name(measure)}")


def breakdown_lines(groups: Sequence[RunGroup], *, by: str, domain: str, measure: str) -> Specification:
    """A measure in each group of the domain's test queries, in order, with the groups' sizes below."""
    rows: list[Row] = []
    names: dict[str, str] = {}
    for group in groups:
        for label, (estimate, queries) in group.breakdown(by, domain=domain, name=measure).items():
            names.setdefault(label, f"{label}|{short(queries)}")
            rows.append({"model": group.label, "x": names[label], "value": estimate.mean})
    x = alt.X("x:O", sort=list(names.values()), axis=two_lines())
    x_title = f"{readable(by)}, and test queries"
    return _lines(groups, rows, x=x, x_title=x_title, title=domain, y_title=display_name(measure))


def heat_map(
    rows: Sequence[Row],
    *,
    x: str,
    y: str,
    value: str,
    title: str,
    x_order: Sequence[str],
    y_order: Sequence[str],
    number_format: str = ".2f",
    around_zero: bool = False,
) -> Specification:
    """A heat map of the `value` of rows by their `x` and `y`, in the given orders; a missing value is an empty cell.

    One hue from light to dark over the range of the values; with `around_zero`, one hue below 0 and one above, over the
    same range on both sides.
    """
    cells: list[Row] = [{"x": row[x], "y": row[y], "value": row[value]} for row in rows if row[value] is not None]
    values = [float(cell["value"] or 0) for cell in cells]
    largest = max(map(abs, values), default=0.0) or 1.0
    low, high = (-largest, largest) if around_zero else _span(values, MIN_COLOUR_SPAN * largest)
    scale = (
        alt.Scale(scheme="blueorange", domain=[low, 0, high])
        if around_zero
        else alt.Scale(scheme="blues", domain=[low, high])
    )
    is_dark = f"abs(datum.value) > {0.6 * high}" if around_zero else f"datum.value > {low + 0.55 * (high - low)}"
    x_axis = alt.Axis(orient="top", title=None, labelAngle=0, labelLimit=90, ticks=False, domain=False)
    y_axis = alt.Axis(title=None, labelLimit=150, ticks=False, domain=False)
    base = alt.Chart(alt.InlineData(values=cells)).encode(
        x=alt.X("x:N", scale=alt.Scale(domain=list(x_order)), axis=x_axis),
        y=alt.Y("y:N", scale=alt.Scale(domain=list(y_order)), axis=y_axis),
        tooltip=[
            alt.Tooltip("y:N", title=y),
            alt.Tooltip("x:N", title=x),
            alt.Tooltip("value:Q", title=value, format=",.4~f"),
        ],
    )
    colours = base.mark_rect(stroke="#fff", strokeWidth=1).encode(color=alt.Color("value:Q", scale=scale, legend=None))
    numbers = base.mark_text().encode(
        text=alt.Text("value:Q", format=number_format),
        color=alt.condition(is_dark, alt.value("#fff"), alt.value("#1b1f24")),
    )
    chart = alt.layer(colours, numbers)
    return chart.properties(title=title, width="container", height=CELL_HEIGHT * len(y_order)).to_dict()


def display_name(measure: str) -> str:
    """A measure's name for people: Recall@50 for ``recall@50``, NDCG@10 for ``ndcg@10``; others as they are."""
    name, at, k = measure.partition("@")
    return f"{NAMES.get(name, name)}{at}{k}"


def readable(key: str) -> str:
    """A key for people: History length for ``history_length``."""
    return key.replace("_", " ").capitalize()


def title_of(domain: str | None) -> str:
    """The title of a chart of a domain; None: of the mean."""
    return "Mean of the domains" if domain is None else domain


def colour(groups: Sequence[RunGroup]) -> alt.Color:
    """The colour encoding of models, the same in every chart."""
    scale = alt.Scale(domain=[group.label for group in groups], range=_in_turn(COLOURS, len(groups)))
    return alt.Color("model:N", scale=scale, legend=None)


def shape(groups: Sequence[RunGroup]) -> alt.Shape:
    """The shape encoding of models, the same in every chart."""
    scale = alt.Scale(domain=[group.label for group in groups], range=_in_turn(list(SHAPES), len(groups)))
    return alt.Shape("model:N", scale=scale, legend=None)


def two_lines() -> alt.Axis:
    """An axis whose labels break at ``|``."""
    return alt.Axis(labelAngle=0, labelFontSize=11, labelExpr="split(datum.label, '|')")


def short(number: int) -> str:
    """A count with at most five characters: 9,999, 12k, 1.2M."""
    if number < 10_000:
        return f"{number:,}"
    return f"{number / 1e3:.0f}k" if number < 999_500 else f"{number / 1e6:.1f}M"


def _by_epoch(
    groups: Sequence[RunGroup], value: Callable[[Epoch], float | None], *, title: str, y_title: str
) -> Specification:
    """A value by epoch, a line for each run; a diverged loss (NaN) is a gap in its line."""
    rows: list[Row] = [
        {"model": group.label, "seed": run.info.seed, "x": epoch.epoch, "value": Estimate.of([value(epoch)]).mean}
        for group in groups
        for run in group.runs
        for epoch in run.epochs
        if not epoch.refit
    ]
    last = max((epoch.epoch for group in groups for run in group.runs for epoch in run.epochs), default=1)
    ticks = list(range(1, last + 1, -(-last // MOST_TICKS)))  # Vega's own may lie between two epochs
    x = alt.X("x:Q", axis=alt.Axis(values=ticks, format="d"), scale=alt.Scale(zero=False, nice=False))
    return _lines(groups, rows, x=x, x_title="Epoch", title=title, y_title=y_title, zero=False)


def _lines(
    groups: Sequence[RunGroup], rows: list[Row], *, x: alt.X, x_title: str, title: str, y_title: str, zero: bool = True
) -> Specification:
    """A line with points for each model, or for each of its seeds where rows have a ``seed``."""
    chart: alt.Chart = (
        alt.Chart(alt.InlineData(values=rows), title=title, width="container", height=LINE_HEIGHT)
        .mark_line(point=alt.OverlayMarkDef(size=45, filled=True), strokeWidth=1.8)
        .encode(
            x=x.title(x_title),
            y=alt.Y("value:Q", title=y_title, scale=alt.Scale(zero=zero), axis=alt.Axis(tickCount=5)),
            color=colour(groups),
            shape=shape(groups),
            detail="seed:N",
            tooltip=[
                "model:N",
                alt.Tooltip("x:N", title=x_title),
                alt.Tooltip("value:Q", title=y_title, format=".4f"),
            ],
        )
    )
    return chart.to_dict()


def _in_turn(values: Sequence[str], count: int) -> list[str]:
    return [values[index % len(values)] for index in range(count)]


def _span(values: Sequence[float], least: float) -> tuple[float, float]:
    """The range of the values, widened on both sides to `least`."""
    low, high = min(values, default=0.0), max(values, default=0.0)
    room = max(0.0, least - (high - low)) / 2
    return low - room, high + room
