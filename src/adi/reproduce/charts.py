"""Charts of tables and figures as Vega-Lite specifications, one domain in each, and their pictures as PNG."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import altair as alt
import vl_convert

from adi.data.folder import replace_file
from adi.report.charts import COLOURS, SHAPES, Specification, display_name, title_of
from adi.report.elements import Html, legend_of
from adi.report.style import CHART_CONFIG
from adi.reproduce.results import Results
from adi.runs.groups import Estimate

Look = tuple[str, str, str]
"""A name, a colour and one of Vega's shapes."""

FAMILIES: dict[str, Look] = {
    "baseline": ("our baselines", COLOURS[6], "circle"),
    "compared": ("the paper's baselines", COLOURS[0], "square"),
    "adi": ("ADI", COLOURS[1], "diamond"),
}
CURVES: dict[str, Look] = {
    "MMoE": ("MMoE", COLOURS[0], "square"),
    "PLE": ("PLE", COLOURS[2], "triangle-up"),
    "ADI": ("ADI", COLOURS[1], "diamond"),
}

ROW_HEIGHT = 20
CURVE_HEIGHT = 200
PICTURE_WIDTH = 300


def legend(looks: Sequence[Look]) -> Html:
    """The legend of colours and shapes as HTML; empty without any."""
    return legend_of((name, colour, SHAPES[shape]) for name, colour, shape in looks) if looks else Html("")


def looks_of(results: Results) -> list[Look]:
    """The looks that the charts of a table distinguish; empty where all rows are of one family."""
    if results.table.kind == "curve":
        return list(CURVES.values())
    if results.table.kind == "online":
        return list(zip(results.treatments, COLOURS, SHAPES, strict=False))
    present = {row.family for row, _ in results.finished}
    return [look for family, look in FAMILIES.items() if family in present] if len(present) > 1 else []


def dots(results: Results, *, domain: str | None) -> Specification:
    """A dot with the spread of the seeds for each row in a domain (None: the mean), in the table's order."""
    rows = [
        {"method": row.label, "family": row.family, **_with_spread(group.measure(results.table.measure, domain=domain))}
        for row, group in results.finished
    ]
    title = display_name(results.table.measure)
    base = alt.Chart(alt.InlineData(values=rows)).encode(
        y=alt.Y("method:N", title=None, sort=None, axis=alt.Axis(labelLimit=200, ticks=False, domain=False, grid=True)),
        tooltip=["method:N", alt.Tooltip("value:Q", title=title, format=".4f")],
    )
    scale = alt.Scale(zero=False, nice=False, padding=26)
    points = base.mark_point(size=60, filled=True, opacity=1).encode(
        x=alt.X("value:Q", title=title, scale=scale, axis=alt.Axis(tickCount=4, labelBound=True)),
        **_encodings("family", FAMILIES),
    )
    spreads = base.mark_rule(strokeWidth=1.5).encode(
        x=alt.X("low:Q", scale=scale), x2="high:Q", color=_encodings("family", FAMILIES)["color"]
    )
    chart = alt.layer(spreads, points)
    height = ROW_HEIGHT * len(results.finished)
    return chart.properties(title=title_of(domain), width="container", height=height).to_dict()


def curves(results: Results, *, domain: str | None) -> Specification:
    """A line for each method of a measure in a domain (None: the mean) over the number of shared networks."""
    rows = [
        {
            "method": row.method,
            "networks": row.networks,
            **_with_spread(group.measure(results.table.measure, domain=domain)),
        }
        for row, group in results.finished
    ]
    title = display_name(results.table.measure)
    y = alt.Y("value:Q", title=title, scale=alt.Scale(zero=False), axis=alt.Axis(tickCount=5))
    base = alt.Chart(alt.InlineData(values=rows)).encode(
        x=alt.X("networks:O", title="Shared networks K", axis=alt.Axis(labelAngle=0)),
        tooltip=["method:N", "networks:Q", alt.Tooltip("value:Q", title=title, format=".4f")],
    )
    encodings = _encodings("method", CURVES)
    lines = base.mark_line(strokeWidth=1.8).encode(y=y, color=encodings["color"])
    spreads = base.mark_rule(strokeWidth=1.2).encode(
        y=alt.Y("low:Q", title=title), y2="high:Q", color=encodings["color"]
    )
    points = base.mark_point(size=60, filled=True, opacity=1).encode(y=y, **encodings)
    chart = alt.layer(lines, spreads, points)
    return chart.properties(title=title_of(domain), width="container", height=CURVE_HEIGHT).to_dict()


def write_picture(
    path: Path, specifications: Sequence[Specification], *, title: str, looks: Iterable[Look], columns: int
) -> None:
    """Write charts as a PNG, `columns` in a row, with the legend below the title."""
    subtitle = "    ".join(f"{SHAPES[shape]} {name}" for name, _, shape in looks)
    datasets: dict[str, Any] = {}
    charts = []
    for specification in specifications:
        inner = {name: value for name, value in specification.items() if name not in ("$schema", "config", "datasets")}
        charts.append(inner | {"width": PICTURE_WIDTH})
        datasets |= specification.get("datasets", {})
    picture = {
        "$schema": specifications[0]["$schema"],
        "title": {
            "text": title,
            "subtitle": subtitle,
            "fontSize": 18,
            "subtitleFontSize": 13,
            "offset": 16,
            "limit": PICTURE_WIDTH * columns,
        },
        "concat": charts,
        "columns": columns,
        "spacing": 28,
        "resolve": {"scale": {"color": "independent", "shape": "independent"}},
        "datasets": datasets,
        "config": CHART_CONFIG | {"background": "white"},
        "padding": 16,
    }
    replace_file(path, vl_convert.vegalite_to_png(picture, scale=2))


def _with_spread(estimate: Estimate) -> dict[str, float | None]:
    if estimate.mean is None:
        return {"value": None, "low": None, "high": None}
    spread = estimate.spread or 0.0
    return {"value": estimate.mean, "low": estimate.mean - spread, "high": estimate.mean + spread}


def _encodings(field: str, looks: dict[str, Look]) -> dict[str, Any]:
    """The encodings of colour and shape by a field of the rows."""
    names = list(looks)
    colours, shapes = ([look[index] for look in looks.values()] for index in (1, 2))
    return {
        "color": alt.Color(f"{field}:N", scale=alt.Scale(domain=names, range=colours), legend=None),
        "shape": alt.Shape(f"{field}:N", scale=alt.Scale(domain=names, range=shapes), legend=None),
    }
