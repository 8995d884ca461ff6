"""The chart of a backtest: a measure by window, a panel for each domain and their mean."""

from pathlib import Path

import altair as alt
import vl_convert

from adi.backtesting.result import WAYS, Backtest
from adi.data.folder import replace_file
from adi.report.charts import COLOURS, Specification, display_name
from adi.report.style import CHART_CONFIG

PANEL = {"width": 320, "height": 200}
COLUMNS = 2
DASHES = {"frozen": [2, 3], "live": [6, 3], "retrained": [1, 0]}
"""The dashes of each way's line: the more is known, the fuller."""

MEAN = "mean of the domains"


def chart_of(result: Backtest) -> Specification:
    """Lines of a measure over the windows: colours are models, dashes are ways, panels are domains."""
    labels = [window.label for window in result.windows]
    panels = {MEAN: None, **{name: name for name in result.domains}}
    rows = [
        {"panel": panel, "model": model, "way": way, "window": label, "value": value}
        for panel, domain in panels.items()
        for model, way, values in result.lines(domain)
        for label, value in zip(labels, values, strict=False)  # the last value is the mean of the windows
    ]
    title, models = display_name(result.measure), list(result.models)
    colours = [COLOURS[number % len(COLOURS)] for number in range(len(models))]
    lines = (
        alt.Chart(alt.InlineData(values=rows))
        .mark_line(point=True, strokeWidth=1.8)
        .encode(
            x=alt.X("window:O", title=f"Window of {result.every}, from", sort=labels, axis=alt.Axis(labelAngle=-30)),
            y=alt.Y("value:Q", title=title, scale=alt.Scale(zero=False)),
            color=alt.Color("model:N", title="Model", scale=alt.Scale(domain=models, range=colours)),
            strokeDash=alt.StrokeDash(
                "way:N",
                title="Way",
                scale=alt.Scale(domain=list(WAYS), range=[DASHES[way] for way in WAYS]),
                legend=alt.Legend(symbolType="stroke", symbolFillColor="transparent", symbolSize=600),
            ),
            tooltip=["model:N", "way:N", "window:O", alt.Tooltip("value:Q", title=title, format=".4f")],
        )
        .properties(**PANEL)
    )
    facet = alt.Facet("panel:N", title=None, sort=list(panels))
    specification: Specification = lines.facet(facet=facet, columns=COLUMNS).resolve_scale(y="independent").to_dict()
    return specification


def write_chart(path: Path, result: Backtest) -> None:
    """Write the chart as a PNG."""
    picture = chart_of(result) | {"config": CHART_CONFIG | {"background": "white"}, "padding": 16}
    replace_file(path, vl_convert.vegalite_to_png(picture, scale=2))
