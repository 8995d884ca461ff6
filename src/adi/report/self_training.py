"""The audit of self-training: which domain taught which, and how often a pseudo-positive turned out to be true."""

from collections.abc import Sequence

import altair as alt

from adi.evaluation.groups import Estimate, Group
from adi.report.charts import COLOURS, Row, Specification
from adi.report.elements import Figures, grid, note
from adi.report.heat import heat_map
from adi.report.tables import Html, count, mean_spread, table, text
from adi.runs.run import Run
from adi.runs.self_training import Audit, DomainPair, read_audit

MOST_HISTOGRAMS = 12
HISTOGRAM_HEIGHT = 110


def self_training(groups: Sequence[Group], figures: Figures) -> Html:
    """The audit of each model that trained itself; empty where none did."""
    parts = []
    for group in groups:
        audits = [(run, audit) for run in group.runs if (audit := read_audit(run.folder)) is not None]
        if audits:
            parts.append(f"<h3>{text(group.label)}</h3>{_of_group(audits, figures, label=group.label)}")
    if not parts:
        return Html("")
    explained = note(
        "From the step on that is named below, each positive of a domain is also scored in every other domain where "
        "its item is eligible, and the best-scored become pseudo-positives there. Precision: of the accepted pairs "
        "whose user has a validation row in that domain, the share that is that row's very item. Base rate: the same "
        "share of all scored pairs. One item of a user is held out, so both are low; what counts is how many times "
        "the one is the other."
    )
    return Html(f"<h2>Self-training</h2>{explained}{''.join(parts)}")


def _of_group(audits: Sequence[tuple[Run, Audit]], figures: Figures, *, label: str) -> str:
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
    charts = [figures.add(accepted, about=f"Accepted pairs by domain, {label}")]
    shown = sorted(first.pairs, key=lambda pair: -pair.accepted)[:MOST_HISTOGRAMS]
    charts += [
        figures.add(score_histogram(pair), about=f"Scores from {pair.source} to {pair.target}, {label}")
        for pair in shown
        if pair.score_histogram.scored
    ]
    seeds = ""
    if len(audits) > 1:
        seeds = f"the counts are sums over {len(audits)} seeds, the histograms are of seed {run.info.seed}; "
    left_out = (
        f"the {MOST_HISTOGRAMS} pairs of domains with the most accepted are drawn; "
        if len(shown) < len(first.pairs)
        else ""
    )
    extra = [audit.seconds["scoring"] + audit.seconds["training_extra"] for _, audit in audits]
    total = [audit.seconds["total"] for _, audit in audits]
    said = note(
        f"It began at step {first.start_step:,} of {first.steps:,}; {seeds}{left_out}scoring "
        f"and the pseudo-positives took {sum(extra):,.0f} s of {sum(total):,.0f} s of training."
    )
    return said + _table(audits, label) + _key() + grid(charts)


def _totals(audits: Sequence[tuple[Run, Audit]], name: str) -> list[int]:
    return [
        sum(getattr(pair, name) for pair in pairs) for pairs in zip(*(audit.pairs for _, audit in audits), strict=True)
    ]


def _table(audits: Sequence[tuple[Run, Audit]], label: str) -> Html:
    names = ("eligible", "scored", "accepted", "checked")
    columns = [_totals(audits, name) for name in names]
    rates = [
        [
            Estimate.of(getattr(pair, name) for pair in pairs)
            for pairs in zip(*(audit.pairs for _, audit in audits), strict=True)
        ]
        for name in ("precision", "base_rate")
    ]
    rows = []
    for place, pair in enumerate(audits[0][1].pairs):
        precision, base = (column[place] for column in rates)
        times = precision.mean / base.mean if precision.mean is not None and base.mean else None
        rows.append(
            [
                text(f"{pair.source} → {pair.target}"),
                *(count(column[place]) for column in columns),
                mean_spread(precision),
                mean_spread(base),
                text("–" if times is None else f"{times:.1f} ×"),
            ]
        )
    head = ["From → to", "Eligible", "Scored", "Accepted", "Checked", "Precision", "Base rate", "Precision / base rate"]
    return table(head, rows, caption=f"Self-training by domain, {label}")


def score_histogram(pair: DomainPair) -> Specification:
    """How the scores of all pairs lie, and those of the accepted ones, each as a share of its own number."""
    histogram = pair.score_histogram
    rows: list[Row] = [
        {"pairs": name, "low": low, "high": high, "share": number / max(sum(numbers), 1)}
        for name, numbers in (("scored", histogram.scored), ("accepted", histogram.accepted))
        for low, high, number in zip(histogram.edges[:-1], histogram.edges[1:], numbers, strict=True)
    ]
    colours = alt.Scale(domain=["scored", "accepted"], range=[COLOURS[5], COLOURS[1]])
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


def _key() -> str:
    entries = "".join(
        f'<li><span style="color:{colour}" aria-hidden="true">■</span>{name}</li>'
        for name, colour in (("all scored pairs", COLOURS[5]), ("accepted", COLOURS[1]))
    )
    return f'<ul class="key" aria-label="Key">{entries}</ul>'
