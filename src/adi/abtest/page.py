"""The report of a test: one self-contained HTML file, which opens without a network."""

from collections.abc import Iterator
from pathlib import Path

from adi.abtest import charts
from adi.abtest.metrics import METRICS, Metric
from adi.abtest.result import AbTest
from adi.abtest.uplift import Uplift
from adi.data.folder import replace_file
from adi.errors import ArgumentError
from adi.report.elements import Figures, Html, count, grid, legend_of, note, table, text
from adi.report.page import document


def write_page(test: AbTest, out: str | Path) -> None:
    """Write the report of a test. An existing file is replaced as a whole; raises `ArgumentError` if it cannot be."""
    file = Path(out)
    if file.is_dir():
        raise ArgumentError("report", f"{file} is a folder. Name the report's file, such as {file / 'abtest.html'}.")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        replace_file(file, render(test).encode())
    except OSError as error:
        raise ArgumentError("report", f"{file} cannot be written ({error.strerror}). Choose another path.") from None


def render(test: AbTest) -> str:
    """The page of a test."""
    figures = Figures()
    arms = list(test.arms)
    sections = [
        *(_uplifts(test, arm) for arm in test.treatments),
        _intervals(test, figures),
        *(_by_day(test, METRICS[name], figures) for name in test.metrics if name != "retention"),
        _arms(test),
        _left_out(test),
    ]
    title = text(f"{test.experiment}: {' and '.join(test.treatments)} against {test.control}")
    key = legend_of(charts.looks(arms))
    return document(title, Html(_lead(test) + key), Html("".join(sections)), figures.specifications)


def _lead(test: AbTest) -> Html:
    """The period of the test, each arm's summary, and in boxes why nothing is decided."""
    period = f"{test.start} to {test.end} ({test.days:.1f} days). Clicks count within {test.window} of their list."
    lines = "".join(f"<li>{text(test.summary(arm))}.</li>" for arm in test.treatments)
    doubts = "".join(
        f'<p class="warning"><strong>Nothing is decided:</strong> {text(doubt)}.</p>' for doubt in test.doubts
    )
    return Html(f"<p>{text(period)}</p>{doubts}<ul>{lines}</ul>")


def _uplifts(test: AbTest, arm: str) -> Html:
    """A table of an arm's uplifts, a row for each domain and metric."""
    head = ["Domain", "Metric", "Users", test.control, arm, "Uplift", "95 % interval", "p (Holm)", "Verdict"]
    content = table(head, (_row(uplift) for uplift in test.of(arm)), caption=f"Uplift of {arm}")
    kind = "are always valid" if test.sequential else "are for one look at the planned end"
    below = note(
        f"Intervals {kind}; users are the unit. Verdicts use p-values after Holm's correction over the whole table. "
        f"Changes within ±{test.margin:.1%} do not matter in practice."
    )
    reasons = dict.fromkeys(
        f"{uplift.metric} in {uplift.where}: {uplift.reason}."
        for uplift in test.of(arm)
        if uplift.low is None and uplift.reason is not None
    )
    listed = "".join(f"<li>{text(reason)}</li>" for reason in reasons)
    missing = f'<ul class="notes">{listed}</ul>' if listed else ""
    return Html(f"<section><h2>Uplift of {text(arm)}</h2>{content}{below}{missing}</section>")


def _row(uplift: Uplift) -> list[Html]:
    metric = METRICS[uplift.metric]
    change = "–" if uplift.uplift is None else f"{uplift.uplift:+.2%}"
    interval = "–" if uplift.low is None or uplift.high is None else f"{uplift.low:+.2%} to {uplift.high:+.2%}"
    p = "–" if uplift.p_corrected is None else "< 0.001" if uplift.p_corrected < 0.001 else f"{uplift.p_corrected:.3f}"
    verdict = text(uplift.verdict)
    return [
        text(uplift.where),
        text(metric.title + (" (CUPED)" if uplift.cuped else "")),
        count(sum(uplift.users)),
        text(metric.text(uplift.control_value)),
        text(metric.text(uplift.value)),
        text(change),
        text(interval),
        text(p),
        Html(f"<strong>{verdict}</strong>") if uplift.verdict in ("helps", "hurts") else verdict,
    ]


def _intervals(test: AbTest, figures: Figures) -> Html:
    """A chart of the intervals of each metric."""
    by_metric = {name: [cell for cell in test.uplifts if cell.metric == name] for name in test.metrics}
    drawn = [
        figures.add(
            charts.intervals(cells, arms=list(test.arms), title=METRICS[name].title, margin=test.margin),
            about=f"Uplift in {METRICS[name].title} by domain",
        )
        for name, cells in by_metric.items()
        if any(cell.low is not None for cell in cells)
    ]
    return Html(f"<section><h2>Intervals</h2>{grid(drawn)}</section>") if drawn else Html("")


def _by_day(test: AbTest, metric: Metric, figures: Figures) -> Html:
    """A chart of a metric by day for each domain."""
    drawn = [
        figures.add(
            charts.by_day(
                [day for day in test.by_day if day.domain == domain],
                metric,
                arms=list(test.arms),
                title=domain or "all domains",
            ),
            about=f"{metric.title} by day in {domain or 'all domains'}",
        )
        for domain in test.domains
    ]
    return Html(f"<section><h2>{text(metric.title)} by day</h2>{grid(drawn)}</section>")


def _arms(test: AbTest) -> Html:
    """The sums of each arm, and the test of the sample ratio."""
    rows = (
        [text(name), count(arm.users), count(arm.exposures), count(arm.clicks), text(f"{arm.charge:,.2f}"),
         text(", ".join(arm.versions))]
        for name, arm in test.arms.items()
    )  # fmt: skip
    head = ["Arm", "Users", "Exposures", "Clicks", "Charge", "Bundle"]
    ratio = "" if test.sample_ratio is None else note(_ratio_sentence(test))
    content = table(head, rows, caption="Arms")
    return Html(f"<section><h2>Arms</h2>{content}{ratio}</section>")


def _ratio_sentence(test: AbTest) -> str:
    assert test.sample_ratio is not None
    expected = ", ".join(f"{arm} {users:,.0f}" for arm, users in test.sample_ratio.expected.items())
    return f"Sample ratio: p = {test.sample_ratio.p:.3g} against the users that the weights let expect ({expected})."


def _left_out(test: AbTest) -> Html:
    """The rows that were left out, and notes."""
    notes = "".join(f"<li>{text(sentence)}</li>" for sentence in _notes(test))
    return Html(f'<section><h2>Left out, and what to know</h2><ul class="notes">{notes}</ul></section>')


def _notes(test: AbTest) -> Iterator[str]:
    for fault in test.faults:
        yield f"{fault.sentence}."
    yield from test.notes
