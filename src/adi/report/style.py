"""Style sheet of a report: dark on light, one column, tables that scroll in their box, charts in a flowing grid."""

STYLE = """
:root { color-scheme: light; --ink: #1b1f24; --soft: #57606a; --line: #d0d7de; --fill: #f6f8fa; }
* { box-sizing: border-box; }
body { margin: 0; color: var(--ink); background: #fff; font: 16px/1.5 system-ui, "DejaVu Sans", sans-serif; }
header, main, footer { max-width: 76rem; margin: 0 auto; padding: 0 1.25rem; }
header { padding-top: 1.5rem; }
h1 { margin: 0 0 .5rem; font-size: 1.7rem; line-height: 1.2; }
h2 { margin: 2.5rem 0 .5rem; padding-top: 1rem; border-top: 1px solid var(--line); font-size: 1.25rem; }
h3 { margin: 1.5rem 0 .25rem; font-size: 1rem; }
h4 { margin: 1.25rem 0 .25rem; font-size: .95rem; }
p { max-width: 48rem; margin: .5rem 0; }
code { font-family: ui-monospace, "DejaVu Sans Mono", monospace; font-size: .9em; overflow-wrap: anywhere; }
.note { color: var(--soft); font-size: .9rem; }
.scroll { overflow-x: auto; margin: .75rem 0; }
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; }
th, td { padding: .35rem .75rem; border-bottom: 1px solid var(--line); text-align: right; white-space: nowrap; }
thead th { background: var(--fill); vertical-align: bottom; }
th[scope="row"], thead th:first-child, .words :is(th, td) { text-align: left; }
th[scope="row"] { font-weight: 400; }
th:first-child { position: sticky; left: 0; background: #fff; }
thead th:first-child { background: var(--fill); }
th[scope="colgroup"] { text-align: center; }
th[scope="colgroup"] ~ th[scope="colgroup"] { border-left: 1px solid var(--line); }
td .spread { color: var(--soft); font-size: .85em; }
.dense { font-size: .85rem; }
.dense :is(th, td) { padding: .3rem .4rem; }
.words td { white-space: normal; overflow-wrap: anywhere; }
.charts { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 21rem), 1fr)); gap: 1.5rem; }
figure.chart, figure.chart.has-actions { min-width: 0; width: 100%; margin: 0; padding: 0; }
.key { display: flex; flex-wrap: wrap; gap: .15rem 1.25rem; margin: .75rem 0; padding: 0; list-style: none;
       font-size: .9rem; }
.key span { margin-right: .35rem; }
.notes { max-width: 60rem; margin: .5rem 0; padding-left: 1.25rem; }
.warning { padding: .5rem .75rem; border-left: 4px solid #e69f00; background: var(--fill); }
.folded { margin: .5rem 0; }
.folded summary { cursor: pointer; padding: .25rem 0; }
footer { padding-top: 1.5rem; padding-bottom: 2rem; color: var(--soft); font-size: .85rem; }
@media (max-width: 40rem) { body { font-size: 15px; } h1 { font-size: 1.4rem; } th, td { padding: .3rem .5rem; }
                            th[scope="row"] { white-space: normal; min-width: 7rem; } }
"""

CHART_CONFIG = {
    "font": 'system-ui, "DejaVu Sans", sans-serif',
    "view": {"stroke": None},
    "title": {"fontSize": 14, "fontWeight": 600, "anchor": "start", "color": "#1b1f24", "offset": 8},
    "axis": {
        "labelFontSize": 12,
        "titleFontSize": 12,
        "titleFontWeight": 400,
        "labelColor": "#1b1f24",
        "titleColor": "#57606a",
        "gridColor": "#e6e9ec",
        "domainColor": "#8c959f",
        "tickColor": "#8c959f",
    },
    "text": {"fontSize": 12, "color": "#1b1f24"},
    "rule": {"color": "#1b1f24"},
}
"""Vega-Lite's ``config`` that matches the style sheet."""
