"""The section of Table 9: the uplift of each method over DNN by domain, beside the paper's, and its charts."""

from collections.abc import Iterator, Sequence

import altair as alt

from adi.abtest.metrics import METRICS
from adi.report.charts import Row, Specification
from adi.report.elements import UNDEFINED, Figures, Html, folded, grid, note, table, text
from adi.reproduce import charts
from adi.reproduce.charts import ROW_HEIGHT
from adi.reproduce.paper import TABLE_9
from adi.reproduce.results import Results
from adi.reproduce.sections import dataset_heading, heading, remarks, side_by_side
from adi.reproduce.uplifts import ALL, FOLDER, Experiment, Interval, Measured, mean_uplifts, tests_of

PUBLISHED_METHOD = "ADI-SE"
PAPER_DOMAINS = ("D1", "D2", "D3")

SIMULATED = (
    "Simulated. No person saw these lists and nobody paid for a click: users, bids and the ranking stage are a model "
    "of a market, so that neither the size nor the sign of an uplift says what live traffic would give."
)
EXPLANATION = (
    "Uplift over DNN with its 95 % interval. Bold: the interval leaves out 0. With several seeds it is that of the "
    "mean, over users and seeds; with one, over users alone. The paper gives no intervals."
)


def online(results: Sequence[Results], figures: Figures) -> Html:
    """The uplifts of each method beside the paper's, charts, each seed's uplifts, and recall on the test rows."""
    parts = [heading(results), f'<p class="warning"><strong>{text(SIMULATED)}</strong></p>']
    for result in results:
        parts += [dataset_heading(result), remarks(result), *_doubts(result)]
        methods = _methods(result)
        if not methods:
            parts.append(note("No experiment has been simulated yet."))
            continue
        drawn = [figures.add(chart, about=f"{result.name}, uplift of {chart['title']}") for chart in intervals(result)]
        key = charts.legend(charts.looks_of(result))
        parts += [_side_by_side(result), note(EXPLANATION), key, grid(drawn)]
        parts += [folded("Each seed", _by_seed(result)), folded("Recall of the same runs", side_by_side(result))]
    return Html("".join(parts))


def intervals(results: Results) -> list[Specification]:
    """A chart for each metric: the uplift of each method in each domain, with its interval."""
    means = {label: mean_uplifts(list(tests.values())) for label, tests in _methods(results).items()}
    drawn = []
    for name in TABLE_9:
        rows: list[Row] = [
            {"domain": domain, "method": label, "uplift": mean.uplift, "low": mean.low, "high": mean.high}
            for domain in (*results.domains, ALL)
            for label, by_cell in means.items()
            if (mean := by_cell.get((name, domain))) is not None
        ]
        if rows:
            drawn.append(_intervals(rows, METRICS[name].title, charts.looks_of(results)))
    return drawn


def _intervals(rows: Sequence[Row], title: str, looks: Sequence[charts.Look]) -> Specification:
    methods, colours, shapes = ([look[index] for look in looks] for index in range(3))
    base = alt.Chart(alt.InlineData(values=list(rows))).encode(
        y=alt.Y("domain:N", title=None, sort=None, axis=alt.Axis(ticks=False, domain=False)),
        yOffset=alt.YOffset("method:N", sort=methods),
        color=alt.Color("method:N", scale=alt.Scale(domain=methods, range=colours), legend=None),
        tooltip=["domain:N", "method:N", *(alt.Tooltip(f"{n}:Q", format="+.2%") for n in ("uplift", "low", "high"))],
    )
    zero = alt.Chart(alt.InlineData(values=[{"zero": 0}])).mark_rule(color="#8c959f").encode(x="zero:Q")
    x = alt.X("low:Q", title="Uplift over DNN, 95 % interval", axis=alt.Axis(format="+~%", tickCount=5))
    bars = base.mark_rule(strokeWidth=2).encode(x=x, x2="high:Q")
    shape = alt.Shape("method:N", scale=alt.Scale(domain=methods, range=shapes), legend=None)
    points = base.mark_point(filled=True, size=60, opacity=1).encode(x="uplift:Q", shape=shape)
    height = ROW_HEIGHT * len({row["domain"] for row in rows}) * (len(methods) + 1)
    chart = alt.layer(zero, bars, points).properties(title=title, width="container", height=height)
    specification: Specification = chart.to_dict()
    return specification


def _methods(results: Results) -> dict[str, dict[int, Experiment]]:
    """The experiments of each method by seed; methods without any are left out."""
    tests = {row.label: tests_of(group) for row, group in results.finished}
    return {label: by_seed for label, by_seed in tests.items() if by_seed}


def _doubts(results: Results) -> Iterator[str]:
    for label, tests in _methods(results).items():
        for seed, test in tests.items():
            for doubt in test.doubts:
                yield note(f"{label}, seed {seed}: {doubt}.")


def _side_by_side(results: Results) -> Html:
    domains = (*results.domains, ALL)
    rows = []
    for label, tests in _methods(results).items():
        means = mean_uplifts(list(tests.values()))
        for name, published in TABLE_9.items():
            paper = [text(f"{value:+.1%}") for value in published] if label == PUBLISHED_METHOD else [Html("")] * 3
            rows.append(
                [
                    text(f"{label}, {METRICS[name].title}"),
                    *(_interval(means.get((name, domain))) for domain in domains),
                    *paper,
                ]
            )
    spans = [("", 1), (f"Uplift over DNN here, simulated: {results.dataset}", len(domains))]
    spans.append(("The paper's, Alibaba's traffic", len(PAPER_DOMAINS)))
    head = ["Method and metric", *domains, *PAPER_DOMAINS]
    return table(head, rows, caption=f"{results.table.title}, {results.dataset}", kind="numbers dense", spans=spans)


def _interval(mean: Interval | None) -> Html:
    if mean is None:
        return UNDEFINED
    uplift = f"{mean.uplift:+.1%}"
    middle = f"<strong>{uplift}</strong>" if mean.low > 0 or mean.high < 0 else uplift
    return Html(f'{middle} <span class="spread">{100 * mean.low:+.1f} to {100 * mean.high:+.1f}</span>')


def _by_seed(results: Results) -> Html:
    head = ["Method", "Seed", "Metric", "Domain", "DNN", "Method’s", "Uplift", "95 % interval"]
    rows = [
        [text(label), Html(f'<a href="{_page(results, label, seed)}">{seed}</a>'), *_cells(each)]
        for label, tests in _methods(results).items()
        for seed, test in tests.items()
        for each in test.uplifts
        if each.metric in TABLE_9
    ]
    return table(head, rows, caption=f"{results.name}, each seed")


def _page(results: Results, label: str, seed: int) -> str:
    """The address of an experiment's page, from the report."""
    (group,) = [group for row, group in results.finished if row.label == label]
    (run,) = [run for run in group.runs if run.info.seed == seed]
    return text(f"runs/{results.dataset}/{run.folder.name}/{FOLDER}/abtest.html")


def _cells(measured: Measured) -> list[Html]:
    metric = METRICS[measured.metric]
    bounds = (measured.uplift, measured.low, measured.high)
    uplift, low, high = ("–" if value is None else f"{value:+.2%}" for value in bounds)
    return [
        text(metric.title),
        text(measured.where),
        text(metric.text(measured.control_value)),
        text(metric.text(measured.value)),
        text(uplift),
        text(f"{low} to {high}"),
    ]
