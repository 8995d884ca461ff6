"""Charts of a test as Vega-Lite specifications: a metric by day and arm, and the uplifts with their intervals."""

from collections.abc import Sequence

import altair as alt

from adi.abtest.metrics import Metric
from adi.abtest.totals import Day
from adi.abtest.uplift import Uplift
from adi.report.charts import BAR_STEP, COLOURS, LINE_HEIGHT, SHAPES, Row, Specification


def looks(arms: Sequence[str]) -> list[tuple[str, str, str]]:
    """Each arm's name, colour and shape, the shape as a character."""
    shapes = list(SHAPES.values())
    return [(arm, COLOURS[number % len(COLOURS)], shapes[number % len(shapes)]) for number, arm in enumerate(arms)]


def by_day(days: Sequence[Day], metric: Metric, *, arms: Sequence[str], title: str) -> Specification:
    """Lines of a metric over the days in one domain, a line for each arm; a day without its denominator is a gap."""
    rows: list[Row] = [{"arm": day.arm, "day": day.day, "value": value_of(day, metric)} for day in days]
    chart: alt.Chart = (
        alt.Chart(alt.InlineData(values=rows), title=title, width="container", height=LINE_HEIGHT)
        .mark_line(point=alt.OverlayMarkDef(size=45, filled=True), strokeWidth=1.8)
        .encode(
            x=alt.X(
                "day:T", title="Day (UTC)", scale=alt.Scale(type="utc"), axis=alt.Axis(format="%b %d", tickCount=7)
            ),
            y=alt.Y(
                "value:Q",
                title=metric.title,
                scale=alt.Scale(zero=False),
                axis=alt.Axis(tickCount=5, format=".1%" if metric.percent else ",.3~r"),
            ),
            color=_colour(arms),
            shape=alt.Shape(
                "arm:N", scale=alt.Scale(domain=list(arms), range=_in_turn(list(SHAPES), arms)), legend=None
            ),
            tooltip=[
                "arm:N",
                alt.Tooltip("utcyearmonthdate(day):T", title="Day"),
                alt.Tooltip("value:Q", title=metric.title, format=".4"),
            ],
        )
    )
    return chart.to_dict()


def intervals(uplifts: Sequence[Uplift], *, arms: Sequence[str], title: str, margin: float) -> Specification:
    """The uplifts of one metric with their 95 % intervals, a row for each domain and arm; the margin is shaded."""
    several = len({uplift.arm for uplift in uplifts}) > 1
    rows: list[Row] = [
        {
            "label": f"{uplift.where}, {uplift.arm}" if several else uplift.where,
            "arm": uplift.arm,
            "uplift": uplift.uplift,
            "low": uplift.low,
            "high": uplift.high,
        }
        for uplift in uplifts
        if uplift.low is not None
    ]
    base = alt.Chart(alt.InlineData(values=rows)).encode(
        y=alt.Y("label:N", title=None, sort=None, axis=alt.Axis(labelLimit=170, ticks=False, domain=False)),
        color=_colour(arms),
        tooltip=[
            alt.Tooltip("label:N", title="Domain"),
            *(alt.Tooltip(f"{name}:Q", format="+.2%") for name in ("uplift", "low", "high")),
        ],
    )
    band = (
        alt.Chart(alt.InlineData(values=[{"from": -margin, "to": margin}]))
        .mark_rect(color="#e6e9ec")
        .encode(x="from:Q", x2="to:Q")
    )
    zero = alt.Chart(alt.InlineData(values=[{"zero": 0}])).mark_rule(color="#8c959f").encode(x="zero:Q")
    x = alt.X("low:Q", title="Uplift, 95 % interval", axis=alt.Axis(format="+~%", tickCount=6))
    bars = base.mark_rule(strokeWidth=2).encode(x=x, x2="high:Q")
    points = base.mark_point(filled=True, size=60, opacity=1).encode(x="uplift:Q")
    chart = alt.layer(band, zero, bars, points)
    height = BAR_STEP * max(1, len(rows))
    specification: Specification = chart.properties(title=title, width="container", height=height).to_dict()
    return specification


def value_of(day: Day, metric: Metric) -> float | None:
    """A metric on one day; None where its denominator is 0."""
    sums = {"exposures": float(day.exposures), "clicks": float(day.clicks), "charge": day.charge}
    denominator = sums[metric.denominator]
    return None if denominator == 0 else metric.scale * sums[metric.numerator] / denominator


def _colour(arms: Sequence[str]) -> alt.Color:
    return alt.Color("arm:N", scale=alt.Scale(domain=list(arms), range=_in_turn(COLOURS, arms)), legend=None)


def _in_turn(values: Sequence[str], arms: Sequence[str]) -> list[str]:
    return [values[number % len(values)] for number in range(len(arms))]
