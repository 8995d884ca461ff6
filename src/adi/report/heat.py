"""Heat maps: a number in each cell of a grid, behind it a colour that any reader can tell from its neighbours."""

from collections.abc import Sequence

import altair as alt

from adi.report.charts import Row, Specification

CELL_HEIGHT = 26

LEAST_SPAN = 0.2
"""What colours span at least, as a share of the largest value: values that are nearly the same look it."""


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
    """The `value` of rows by their `x` and `y`, in the given orders; a cell without a number stays empty.

    One hue from light to dark over the values that are there; or, `around_zero`, one hue below and one above, which
    colour-blind readers tell apart, as far on both sides as the largest value.
    """
    data: list[Row] = [{"x": row[x], "y": row[y], "value": row[value]} for row in rows if row[value] is not None]
    known = [float(row["value"] or 0) for row in data]
    largest = max(map(abs, known), default=0.0) or 1.0
    low, high = (-largest, largest) if around_zero else _span(known, LEAST_SPAN * largest)
    scale = (
        alt.Scale(scheme="blueorange", domain=[low, 0, high])
        if around_zero
        else alt.Scale(scheme="blues", domain=[low, high])
    )
    on_dark = f"abs(datum.value) > {0.6 * high}" if around_zero else f"datum.value > {low + 0.55 * (high - low)}"
    base = alt.Chart(alt.InlineData(values=data)).encode(
        x=alt.X(
            "x:N",
            scale=alt.Scale(domain=list(x_order)),
            axis=alt.Axis(orient="top", title=None, labelAngle=0, labelLimit=90, ticks=False, domain=False),
        ),
        y=alt.Y(
            "y:N",
            scale=alt.Scale(domain=list(y_order)),
            axis=alt.Axis(title=None, labelLimit=150, ticks=False, domain=False),
        ),
        tooltip=[
            alt.Tooltip("y:N", title=y),
            alt.Tooltip("x:N", title=x),
            alt.Tooltip("value:Q", title=value, format=",.4~f"),
        ],
    )
    cells = base.mark_rect(stroke="#fff", strokeWidth=1).encode(color=alt.Color("value:Q", scale=scale, legend=None))
    numbers = base.mark_text().encode(
        text=alt.Text("value:Q", format=number_format),
        color=alt.condition(on_dark, alt.value("#fff"), alt.value("#1b1f24")),
    )
    chart = alt.layer(cells, numbers)
    return chart.properties(title=title, width="container", height=CELL_HEIGHT * len(y_order)).to_dict()


def _span(values: Sequence[float], least: float) -> tuple[float, float]:
    """From the lowest to the highest of the values, or as much around them as `least`."""
    low, high = min(values, default=0.0), max(values, default=0.0)
    room = max(0.0, least - (high - low)) / 2
    return low - room, high + room
