"""The section of a report on self-training: which domain taught which, and how precise the pseudo-positives were."""

from collections.abc import Sequence

import altair as alt

from adi.report.charts import COLOURS, Row, Specification, heat_map
from adi.report.elements import Figures, Html, count, grid, legend_of, mean_spread, note, table, text
from adi.runs.groups import Estimate, RunGroup
from adi.runs.run import Run
from adi.runs.self_training import Audit, DomainPair, read_audit

MOST_HISTOGRAMS = 12
HISTOGRAM_HEIGHT = 110
SCORED, ACCEPTED = COLOURS[5], COLOURS[1]

Audits = Sequence[tuple[Run, Audit]]
"""The runs of one model and their audits, which have the same pairs of domains in the same order."""


def self_training(groups: Sequence[RunGroup], figures: Figures) -> Html:
    """The audit of each model with self-training; empty where there is none."""
    parts = []
    for group in groups:
        audits = [(run, audit) for run in group.runs if (audit := read_audit(run.folder)) is not None]
        if audits:
            parts.append(f"<h3>{text(group.label)}</h3>{_of_model(audits, figures, label=group.label)}")
    if not parts:
        return Html("")
    explanation = note(
        "From the step named below on, each positive of a domain is also scored in every other domain where its item "
        "is eligible, and the pairs with the highest scores become pseudo-positives there. Precision: of the accepted "
        "pairs whose user has a validation row in that domain, the share whose item is that row's item. Base rate: the "
        "same share of all scored pairs. Only one item of a user is held out, so both are low; their ratio is what "
        "matters."
    )
    return Html(f"<h2>Self-training</h2>{explanation}{''.join(parts)}")


def _of_model(audits: Audits, figures: Figures, *, label: str) -> str:
    run, first = audits[0]
    domains = run.info.domains
    accepted = heat_map(
        [
            {"domain that learns": pair.target, "domain that teaches": pair.source, "accepted": total}
            for pair, total in zip(first.pairs, _totals(audits, "accepted"), strict=True)
        ],
        x="domain that learns",
        y="domain that teaches",
        value="accepted",
        title="Accepted pairs: rows teach columns",
        x_order=domains,
        y_order=domains,
        number_format=",",
    )
    charts = [figures.add(accepted, about=f"Accepted pairs by domain, {label}", columns=len(domains))]
    shown = sorted(first.pairs, key=lambda pair: -pair.accepted)[:MOST_HISTOGRAMS]
    charts += [
        figures.add(score_histogram(pair), about=f"Scores from {pair.source} to {pair.target}, {label}")
        for pair in shown
        if pair.score_histogram.scored
    ]
    key = legend_of([("all scored pairs", SCORED, "■"), ("accepted", ACCEPTED, "■")])
    return note(_course(audits, all_shown=len(shown) == len(first.pairs))) + _table(audits, label) + key + grid(charts)


def _course(audits: Audits, *, all_shown: bool) -> str:
    """The start and the cost of self-training, and what the charts show, in a sentence."""
    run, first = audits[0]
    seeds = ""
    if len(audits) > 1:
        seeds = f"counts are sums over {len(audits)} seeds, histograms are of seed {run.info.seed}; "
    left_out = (
        "" if all_shown else f"histograms are of the {MOST_HISTOGRAMS} pairs of domains with the most accepted pairs; "
    )
    extra = sum(audit.seconds["scoring"] + audit.seconds["training_extra"] for _, audit in audits)
    total = sum(audit.seconds["total"] for _, audit in audits)
    return (
        f"Started at step {first.start_step:,} of {first.steps:,}; {seeds}{left_out}scoring and training on "
        f"pseudo-positives took {extra:,.0f} s of {total:,.0f} s of training."
    )


def _totals(audits: Audits, name: str) -> list[int]:
    """A count of each pair of domains, summed over the runs."""
    return [sum(getattr(pair, name) for pair in pairs) for pairs in _by_pair(audits)]


def _by_pair(audits: Audits) -> list[tuple[DomainPair, ...]]:
    return list(zip(*(audit.pairs for _, audit in audits), strict=True))


def _table(audits: Audits, label: str) -> Html:
    columns = [_totals(audits, name) for name in ("eligible", "scored", "accepted", "checked")]
    rows = []
    for index, pairs in enumerate(_by_pair(audits)):
        precision = Estimate.of(pair.precision for pair in pairs)
        base_rate = Estimate.of(pair.base_rate for pair in pairs)
        ratio = precision.mean / base_rate.mean if precision.mean is not None and base_rate.mean else None
        rows.append(
            [
                text(f"{pairs[0].source} → {pairs[0].target}"),
                *(count(column[index]) for column in columns),
                mean_spread(precision),
                mean_spread(base_rate),
                text("–" if ratio is None else f"{ratio:.1f} ×"),
            ]
        )
    head = ["From → to", "Eligible", "Scored", "Accepted", "Checked", "Precision", "Base rate", "Precision / base rate"]
    return table(head, rows, caption=f"Self-training by domain, {label}")


def score_histogram(pair: DomainPair) -> Specification:
    """The distribution of the scores of all pairs and of the accepted ones, each as shares of its own number."""
    histogram = pair.score_histogram
    rows: list[Row] = [
        {"pairs": name, "low": low, "high": high, "share": number / max(sum(numbers), 1)}
        for name, numbers in (("scored", histogram.scored), ("accepted", histogram.accepted))
        for low, high, number in zip(histogram.edges[:-1], histogram.edges[1:], numbers, strict=True)
    ]
    colours = alt.Scale(domain=["scored", "accepted"], range=[SCORED, ACCEPTED])
    chart: alt.Chart = (
        alt.Chart(alt.InlineData(values=rows))
        .mark_bar(opacity=0.7, binSpacing=0)
        .encode(
            x=alt.X("low:Q", bin="binned", title="Score", axis=alt.Axis(tickCount=4), scale=alt.Scale(nice=False)),
            x2="high:Q",
            y=alt.Y("share:Q", title="Share of pairs", stack=None, axis=alt.Axis(tickCount=3, format="%")),
            color=alt.Color("pairs:N", scale=colours, legend=None),
            tooltip=["pairs:N", alt.Tooltip("low:Q", format=".2f"), alt.Tooltip("share:Q", format=".1%")],
        )
    )
    return chart.properties(
        title=f"{pair.source} → {pair.target}", width="container", height=HISTOGRAM_HEIGHT
    ).to_dict()
