"""Sections of a report in their order: recall, learning curves, breakdowns by query group, and provenance."""

from collections.abc import Sequence
from statistics import median

from adi.comparison.result import Comparison
from adi.data.manifest import read_manifest
from adi.errors import AdiError
from adi.metrics import METRICS
from adi.report import charts
from adi.report.charts import display_name, readable
from adi.report.differences import slice_differences
from adi.report.elements import (
    UNDEFINED,
    Figures,
    Html,
    count,
    folded,
    grid,
    legend,
    mean_spread,
    measure_table,
    note,
    table,
    text,
)
from adi.runs.groups import RunGroup, flat_settings

AGAINST = {
    "corpus": "all items of its domain's corpus",
    "candidates": "the candidates that the data set gives for it",
}
"""``against`` of metrics.json, in words."""


def lead(groups: Sequence[RunGroup], comparison: Comparison | AdiError | None, *, k: int) -> Html:
    """The data and protocol of the comparison, and in three sentences what was found.

    They are the two models with the highest recall, the domains in which another model is the highest, and how sure
    the lead over the baseline is.
    """
    first = groups[0].runs[0]
    against = AGAINST.get(first.metrics.against, first.metrics.against)
    compared = (
        f"{_counted(len(groups), 'model')}, {_counted(sum(len(group.runs) for group in groups), 'run')} on "
        f"<code>{text(str(first.prepared))}</code>. Each query of the {text(first.metrics.part)} part is scored "
        f"against {text(against)}."
    )
    estimates = [(group.measure(f"recall@{k}"), text(group.label)) for group in groups]
    ranked = sorted((pair for pair in estimates if pair[0].mean is not None), key=lambda pair: -(pair[0].mean or 0))
    leaders = ", then ".join(f"{label} with {mean_spread(estimate)}" for estimate, label in ranked[:2])
    sentences = [f"Highest mean Recall@{k}: {leaders}."] if ranked else []
    if len(ranked) > 1:
        best = next(group for group in groups if text(group.label) == ranked[0][1])
        sentences += [_best_by_domain(groups, best, k=k)]
        if isinstance(comparison, Comparison) and best.label != comparison.baseline:
            mean = next(difference for difference in comparison.of(best.label) if difference.mean == "domains")
            sentences += [text(f"Against {comparison.baseline}: {mean.sentence}.")]
    listed = "".join(f"<li>{sentence}</li>" for sentence in sentences)
    return Html(f"<p>{compared}</p><ul>{listed}</ul>" if listed else f"<p>{compared}</p>")


def _best_by_domain(groups: Sequence[RunGroup], best: RunGroup, *, k: int) -> Html:
    """The domains in which another model has a higher recall than the one that is best in the mean."""
    others = []
    for domain in best.domains:
        recalls = {group.label: group.measure(f"recall@{k}", domain=domain).mean or 0.0 for group in groups}
        highest = max(recalls, key=lambda label: recalls[label])
        if recalls[highest] > recalls[best.label]:
            others.append(f"{domain} ({highest} {recalls[highest]:.4f}, {best.label} {recalls[best.label]:.4f})")
    if not others:
        return text(f"No other model has a higher one in any of the {len(best.domains)} domains.")
    return text(f"Another model has a higher one in {len(others)} of {len(best.domains)} domains: {', '.join(others)}.")


def recall(groups: Sequence[RunGroup], figures: Figures, *, ks: Sequence[int], k: int) -> Html:
    """Recall by domain and on average: a table, bars on one scale, and curves over N; other measures folded away."""
    domains = groups[0].domains
    estimates = [group.measure(f"recall@{k}", domain=domain) for group in groups for domain in (*domains, None)]
    top = 1.2 * max((estimate.mean + (estimate.spread or 0) for estimate in estimates if estimate.mean), default=1.0)
    bars = [
        figures.add(
            charts.recall_bars(groups, domain=domain, k=k, top=top), about=f"Recall@{k}, {domain or 'mean'}: bars"
        )
        for domain in (*domains, None)
    ]
    parts = [
        f"<h2>Recall@{k} by domain</h2>",
        measure_table(groups, measure=f"recall@{k}", domains=domains, caption=f"Recall@{k} by domain"),
        _seed_note(groups),
        legend(groups),
        grid(bars),
    ]
    others = sorted({name for group in groups for name in group.measures} - {f"recall@{k}"}, key=_measure_order)
    if others:
        tables = "".join(
            f"<h3>{text(display_name(name))}</h3>"
            f"{measure_table(groups, measure=name, domains=domains, caption=display_name(name))}"
            for name in others
        )
        parts.append(folded(f"Other measures: {', '.join(display_name(name) for name in others)}", tables))
    if len(ks) > 1:
        curves = [
            figures.add(charts.recall_curve(groups, domain=domain, ks=ks), about=f"Recall@N, {domain or 'mean'}")
            for domain in (*domains, None)
        ]
        parts += ["<h2>Recall@N against N</h2>", note("Each domain has its own axis."), legend(groups), grid(curves)]
    return Html("".join(parts))


def learning(groups: Sequence[RunGroup], figures: Figures, *, k: int) -> Html:
    """Loss and validation by epoch, of the models that are trained by epochs."""
    validations = [
        epoch.validation
        for group in groups
        for run in group.runs
        for epoch in run.epochs
        if epoch.validation is not None
    ]
    title = "<h2>Learning curves</h2>"
    trained = [group for group in groups if any(run.epochs for run in group.runs)]
    if not trained:
        return Html(f"{title}<p>None of these models is trained by epochs.</p>")
    curves = [figures.add(charts.loss_curve(groups), about="Training loss by epoch")]
    if validations:
        measures = list(validations[0].mean)
        measure = f"recall@{k}" if f"recall@{k}" in measures else measures[0]
        curves += [
            figures.add(
                charts.validation_curve(groups, domain=domain, measure=measure),
                about=f"Validation {display_name(measure)} by epoch, {domain or 'mean'}",
            )
            for domain in (None, *groups[0].domains)
        ]
    axes = note("One line for each seed. Each chart has its own axis, which may not start at zero.")
    return Html(f"{title}{axes}{legend(groups, shown=trained)}{grid(curves)}{_warnings(groups)}")


def _warnings(groups: Sequence[RunGroup]) -> Html:
    """The warnings of trainings that were not healthy; nothing where all were."""
    sentences = [
        f"{group.label}, seed {run.info.seed}, epoch {warning.epoch}: {warning.message}"
        for group in groups
        for run in group.runs
        for epoch in run.epochs
        for warning in epoch.warnings
    ]
    return Html(f"<h3>Warnings</h3>{''.join(map(note, sentences))}" if sentences else "")


def breakdowns(
    groups: Sequence[RunGroup], figures: Figures, comparison: Comparison | AdiError | None, *, k: int
) -> Html:
    """Recall in each group of the test queries, and the differences there, for every breakdown."""
    parts = []
    for by in dict.fromkeys(by for group in groups for run in group.runs for by in run.metrics.breakdown):
        by_domain = groups[0].runs[0].metrics.breakdown.get(by, {}).values()
        if len({part.group for in_domain in by_domain for part in in_domain}) == 1:
            continue  # all queries are in one group
        name = readable(by).lower()
        lines = [
            figures.add(
                charts.breakdown_lines(groups, by=by, domain=domain, measure=f"recall@{k}"),
                about=f"Recall@{k} by {name}, {domain}",
            )
            for domain in groups[0].domains
        ]
        sizes = note("Below each group: its number of test queries. Each domain has its own axis.")
        parts.append(f"<h2>Recall@{k} by {text(name)}</h2>{sizes}{legend(groups)}{grid(lines)}")
        if isinstance(comparison, Comparison):
            parts.append(slice_differences(groups, figures, comparison, by=by))
    return Html("".join(parts))


def provenance(groups: Sequence[RunGroup]) -> Html:
    """The runs, their data, settings and versions: all that is needed to reproduce the numbers."""
    return Html("<h2>Runs</h2>" + _runs(groups) + _data(groups) + _settings(groups) + _versions(groups))


def _runs(groups: Sequence[RunGroup]) -> Html:
    head = ["Model", "Seed", "Parameters", "Epochs", "Samples/s", "History", "Created", "Folder"]
    rows = []
    for group in groups:
        for run in group.runs:
            speed = median(epoch.samples_per_second for epoch in run.epochs) if run.epochs else None
            epochs = sum(not epoch.refit for epoch in run.epochs)
            numbers = [count(run.info.parameters), count(epochs or None), count(speed)]
            words = [text(run.metrics.history), text(run.info.created), Html(f"<code>{text(run.folder)}</code>")]
            rows.append([text(group.label), text(run.info.seed), *numbers, *words])
    return table(head, rows, caption="Runs")


def _data(groups: Sequence[RunGroup]) -> Html:
    """Counts by domain, from the evaluation, and from the prepared dataset where it still exists."""
    run = groups[0].runs[0]
    try:
        counts_by_domain = read_manifest(run.prepared).by_domain
        missing = ""
    except AdiError as error:
        counts_by_domain = {}
        missing = note(f"Rows, users and items are not available: {error}")
    rows = []
    for domain in groups[0].domains:
        measures, counts = run.metrics.domains[domain], counts_by_domain.get(domain)
        prepared = [counts.train, counts.validation, counts.users, counts.items] if counts else [None] * 4
        evaluated = [measures.get("queries"), measures.get("corpus")]
        rows.append([text(domain), *(count(number) for number in (*prepared, *evaluated))])
    head = ["Domain", "Training rows", "Validation rows", "Users", "Items", "Test queries", "Corpus"]
    return Html(f"<h2>Data</h2>{table(head, rows, caption='Data')}{missing}")


def _settings(groups: Sequence[RunGroup]) -> Html:
    parts = ["<h2>Configuration</h2>"]
    for group in groups:
        rows = [(text(name), text(value)) for name, value in flat_settings(group.runs[0]).items()]
        body = table(["Setting", "Value"], rows, caption=f"Settings of {group.label}", kind="words")
        parts.append(folded(group.label, body if rows else "<p>No settings.</p>"))
    return Html("".join(parts))


def _versions(groups: Sequence[RunGroup]) -> Html:
    packages: dict[str, list[str]] = {}
    for group in groups:
        for run in group.runs:
            for name, version in run.info.versions.items():
                packages.setdefault(name, []).append(version)
    rows = [(text(name), text(", ".join(dict.fromkeys(versions)))) for name, versions in sorted(packages.items())]
    body = table(["Package", "Version"], rows, caption="Versions", kind="words")
    return Html(f"<h2>Versions</h2>{body if rows else UNDEFINED}")


def _seed_note(groups: Sequence[RunGroup]) -> Html:
    counts = sorted({len(group.runs) for group in groups if len(group.runs) > 1})
    if not counts:
        return note("One run for each model: the spread between seeds is unknown.")
    seeds = " or ".join(str(number) for number in counts)
    return note(f"± is the standard deviation over {seeds} seeds; rows without it are of one run.")


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _measure_order(measure: str) -> tuple[int, str, int]:
    """adi's own metrics first, in their order, then the others by name; each by ascending K."""
    name, _, k = measure.partition("@")
    known = list(METRICS)
    return (known.index(name) if name in known else len(known), name, int(k) if k.isdigit() else 0)
