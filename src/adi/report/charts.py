"""The charts of a report as Vega-Lite specifications, one domain in each, so that a page can set them side by side.

Colour and shape stand for the model and are the same in every chart; the page shows their key once. The colours are
those of Okabe and Ito, "Color Universal Design" (2008), which colour-blind readers tell apart, less the yellow that is
faint on white.
"""

from collections.abc import Callable, Sequence
from typing import Any

import altair as alt

from adi.evaluation.groups import Estimate, Group
from adi.runs.epochs import Epoch

Specification = dict[str, Any]
Row = dict[str, str | float | None]

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
SHAPES = {"circle": "●", "square": "■", "triangle-up": "▲", "diamond": "◆", "triangle-down": "▼"}
"""Vega's names and their look. 7 colours and 5 shapes, each in turn, tell 35 models apart."""

LINE_HEIGHT = 200
BAR_STEP = 26
"""Pixels: the plotting area of a line chart, and one bar with its gap. The width is the page's to choose."""


def key(groups: Sequence[Group]) -> list[tuple[str, str, str]]:
    """Each model's name, colour and shape (as a character), for the page's key."""
    labels = [group.label for group in groups]
    shapes = _in_turn(list(SHAPES.values()), len(labels))
    return list(zip(labels, _in_turn(COLOURS, len(labels)), shapes, strict=True))


def recall_bars(groups: Sequence[Group], *, domain: str | None, k: int, top: float) -> Specification:
    """Recall@k of each model in a domain (None: the mean) as bars from 0 to `top`, with the spread over its seeds."""
    rows: list[Row] = []
    for group in groups:
        recall = group.measure(f"recall@{k}", domain=domain)
        if recall.mean is not None:
            spread = recall.spread or 0.0
            low, high = recall.mean - spread, recall.mean + spread
            rows.append({"model": group.label, "recall": recall.mean, "low": low, "high": high})
    title = f"Recall@{k}"
    base = alt.Chart(alt.InlineData(values=rows)).encode(
        y=alt.Y("model:N", title=None, sort=None, axis=alt.Axis(labelLimit=170, ticks=False, domain=False))
    )
    bars = base.mark_bar(height=15).encode(
        x=alt.X("recall:Q", title=title, scale=alt.Scale(domain=[0, top]), axis=alt.Axis(tickCount=4)),
        color=colour(groups),
        tooltip=["model:N", alt.Tooltip("recall:Q", title=title, format=".4f")],
    )
    spreads = base.mark_rule(strokeWidth=1.5).encode(x="low:Q", x2="high:Q")
    numbers = base.mark_text(align="left", dx=4).encode(x="high:Q", text=alt.Text("recall:Q", format=".3f"))
    chart = alt.layer(bars, spreads, numbers)
    return chart.properties(title=title_of(domain), width="container", height=BAR_STEP * len(groups)).to_dict()


def recall_curve(groups: Sequence[Group], *, domain: str | None, ks: Sequence[int]) -> Specification:
    """Recall@N against N of each model in a domain (None: the mean)."""
    rows: list[Row] = [
        {"model": group.label, "x": k, "value": group.measure(f"recall@{k}", domain=domain).mean}
        for group in groups
        for k in ks
    ]
    x = alt.X("x:Q", axis=alt.Axis(values=list(ks), format="d"), scale=alt.Scale(nice=False))
    return _lines(groups, rows, x=x, x_title="N", title=title_of(domain), y_title="Recall@N")


def loss_curve(groups: Sequence[Group]) -> Specification:
    """Training loss by epoch, one line for each run."""
    return _by_epoch(groups, lambda epoch: epoch.loss, title="Training loss", y_title="Loss")


def validation_curve(groups: Sequence[Group], *, domain: str | None, measure: str) -> Specification:
    """A measure on the validation part by epoch, in a domain (None: the mean), one line for each run."""

    def value(epoch: Epoch) -> float | None:
        if epoch.validation is None:
            return None
        measures = epoch.validation.mean if domain is None else epoch.validation.domains.get(domain, {})
        return measures.get(measure)

    return _by_epoch(groups, value, title=title_of(domain), y_title=f"Validation {named(measure)}")


def breakdown_lines(groups: Sequence[Group], *, by: str, domain: str, measure: str) -> Specification:
    """A measure in each part of the domain's test queries, in the evaluation's order, with the parts' sizes below."""
    rows: list[Row] = []
    names: dict[str, str] = {}
    for group in groups:
        for part, (estimate, queries) in group.breakdown(by, domain=domain, name=measure).items():
            names.setdefault(part, f"{part}|{queries:,}")
            rows.append({"model": group.label, "x": names[part], "value": estimate.mean})
    x = alt.X("x:O", sort=list(names.values()), axis=two_lines())
    return _lines(groups, rows, x=x, x_title=f"{spoken(by)}, and test queries", title=domain, y_title=named(measure))


def named(measure: str) -> str:
    """A measure's name for people: ``recall@50`` is Recall@50, ``ndcg@10`` is NDCG@10."""
    name, _, k = measure.partition("@")
    name = name.upper() if name in ("ndcg", "mrr") else name.capitalize()
    return f"{name}@{k}" if k else name


def spoken(key: str) -> str:
    """A key for people: ``history_length`` is History length."""
    return key.replace("_", " ").capitalize()


def title_of(domain: str | None) -> str:
    """A chart's title: its domain, or (None) that it is of the mean."""
    return "Mean of the domains" if domain is None else domain


def colour(groups: Sequence[Group]) -> alt.Color:
    """That of a mark's model, the same in every chart."""
    scale = alt.Scale(domain=[group.label for group in groups], range=_in_turn(COLOURS, len(groups)))
    return alt.Color("model:N", scale=scale, legend=None)


def shape(groups: Sequence[Group]) -> alt.Shape:
    """That of a point's model, the same in every chart."""
    scale = alt.Scale(domain=[group.label for group in groups], range=_in_turn(list(SHAPES), len(groups)))
    return alt.Shape("model:N", scale=scale, legend=None)


def two_lines() -> alt.Axis:
    """An axis whose labels are broken at ``|``."""
    return alt.Axis(labelAngle=0, labelExpr="split(datum.label, '|')")


def _by_epoch(
    groups: Sequence[Group], value: Callable[[Epoch], float | None], *, title: str, y_title: str
) -> Specification:
    """A diverged loss (NaN) leaves a gap in its line."""
    rows: list[Row] = [
        {
            "model": group.label,
            "seed": run.info.seed,
            "x": epoch.epoch,
            "value": Estimate.of([value(epoch)]).mean,
        }
        for group in groups
        for run in group.runs
        for epoch in run.epochs
    ]
    x = alt.X("x:Q", axis=alt.Axis(format="d", tickMinStep=1), scale=alt.Scale(zero=False, nice=False))
    return _lines(groups, rows, x=x, x_title="Epoch", title=title, y_title=y_title, zero=False)


def _lines(
    groups: Sequence[Group], rows: list[Row], *, x: alt.X, x_title: str, title: str, y_title: str, zero: bool = True
) -> Specification:
    """A line with points for each model, or for each of its seeds where the rows tell them apart."""
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
