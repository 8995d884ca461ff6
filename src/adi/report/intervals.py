"""The charts of differences to a baseline: a point for each model, its 95 % interval, and the margin as a band."""

from collections.abc import Sequence

import altair as alt

from adi.evaluation.comparison import Comparison
from adi.evaluation.difference import Difference
from adi.evaluation.groups import Group
from adi.evaluation.verdict import FEWEST_USERS
from adi.report.charts import (
    BAR_STEP,
    LINE_HEIGHT,
    Row,
    Specification,
    colour,
    named,
    shape,
    spoken,
    title_of,
    two_lines,
)


def difference_intervals(
    groups: Sequence[Group], comparison: Comparison, *, domain: str | None, extent: tuple[float, float]
) -> Specification:
    """Each model's difference in a domain (None: the mean), one below the other, on an axis of `extent`."""
    rows = [
        _row(one)
        for one in comparison.differences
        if one.domain == domain and one.among is None and one.difference is not None
    ]
    x = alt.X("low:Q", title=_title(comparison), scale=alt.Scale(domain=list(extent), nice=False), axis=_signed())
    band, zero = _margin(comparison).encode(x=x, x2="high:Q"), _zero().encode(x=x)
    base = alt.Chart(alt.InlineData(values=rows)).encode(
        y=alt.Y("model:N", title=None, sort=None, axis=alt.Axis(labelLimit=170, ticks=False, domain=False)),
        color=colour(groups),
        tooltip=["model:N", *_numbers(), "verdict:N"],
    )
    intervals = base.mark_rule(strokeWidth=2.5).encode(x=x, x2="high:Q")
    points = base.mark_point(size=70, filled=True, opacity=1).encode(x="difference:Q", shape=shape(groups))
    chart = alt.layer(band, zero, intervals, points)
    return chart.properties(
        title=title_of(domain), width="container", height=BAR_STEP * len(comparison.subjects)
    ).to_dict()


def slice_intervals(groups: Sequence[Group], comparison: Comparison, *, by: str, domain: str) -> Specification | None:
    """Each model's difference in the groups of a domain's queries, side by side in each, with the groups' users below.

    Groups of too few users for a verdict are left out, for their intervals would set the scale. None: all of them are.
    """
    names: dict[str, str] = {}
    rows = []
    for one in comparison.differences:
        if one.domain == domain and one.among is not None and one.among.by == by and one.users >= FEWEST_USERS:
            names.setdefault(one.among.label, f"{one.among.label}|{one.users:,}")
            rows.append(_row(one) | {"x": names[one.among.label]})
    if not rows:
        return None
    y = alt.Y("low:Q", title=_title(comparison), axis=_signed())
    band, zero = _margin(comparison).encode(y=y, y2="high:Q"), _zero().encode(y=y)
    base = alt.Chart(alt.InlineData(values=rows)).encode(
        x=alt.X("x:O", title=f"{spoken(by)}, and users", sort=list(names.values()), axis=two_lines()),
        xOffset=alt.XOffset("model:N", sort=list(comparison.subjects)),
        color=colour(groups),
        tooltip=["model:N", alt.Tooltip("x:N", title=spoken(by)), *_numbers(), "verdict:N"],
    )
    intervals = base.mark_rule(strokeWidth=2.5).encode(y=y, y2="high:Q")
    points = base.mark_point(size=50, filled=True, opacity=1).encode(y="difference:Q", shape=shape(groups))
    chart = alt.layer(band, zero, intervals, points)
    return chart.properties(title=domain, width="container", height=LINE_HEIGHT).to_dict()


def _row(one: Difference) -> Row:
    return {
        "model": one.model,
        "difference": one.difference,
        "low": one.low,
        "high": one.high,
        "verdict": one.verdict,
    }


def _margin(comparison: Comparison) -> alt.Chart:
    """A band, within which a difference makes none."""
    rows: list[Row] = [{"low": -comparison.margin, "high": comparison.margin}]
    band: alt.Chart = alt.Chart(alt.InlineData(values=rows)).mark_rect(color="#d0d7de", opacity=0.6)
    return band


def _zero() -> alt.Chart:
    """A line at 0."""
    line: alt.Chart = alt.Chart(alt.InlineData(values=[{"low": 0.0}])).mark_rule(strokeWidth=1)
    return line


def _title(comparison: Comparison) -> str:
    return f"Difference in {named(comparison.measure)}"


def _signed() -> alt.Axis:
    return alt.Axis(tickCount=4, labelExpr="datum.value == 0 ? '0' : format(datum.value, '+.3~f')")


def _numbers() -> list[alt.Tooltip]:
    return [alt.Tooltip(f"{name}:Q", format="+.4f") for name in ("difference", "low", "high")]
