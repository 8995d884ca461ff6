"""The sections of a report, in their order: what was reached, how training went, for whom it works, what was run."""

from collections.abc import Sequence
from statistics import median

from adi.data.manifest import read_manifest
from adi.errors import AdiError
from adi.evaluation.groups import Group, settings
from adi.report import charts
from adi.report.charts import named
from adi.report.elements import Figures, folded, grid, key, note
from adi.report.tables import UNDEFINED, Html, count, mean_spread, measure_table, table, text

AGAINST = {
    "corpus": "all items of its domain's corpus",
    "candidates": "the candidates that the data set gives for it",
}
"""``against`` of metrics.json, in words."""


def lead(groups: Sequence[Group], *, k: int) -> Html:
    """What was compared, on what, and which models came out first."""
    first = groups[0].runs[0]
    against = AGAINST.get(first.metrics.against, first.metrics.against)
    compared = (
        f"{_counted(len(groups), 'model')}, {_counted(sum(len(group.runs) for group in groups), 'run')} on "
        f"<code>{text(str(first.prepared))}</code>. Each query of the {text(first.metrics.part)} part is scored "
        f"against {text(against)}."
    )
    estimates = [(group.measure(f"recall@{k}"), text(group.label)) for group in groups]
    ranked = sorted((pair for pair in estimates if pair[0].mean is not None), key=lambda pair: -(pair[0].mean or 0))
    reached = ", then ".join(f"{label} with {mean_spread(estimate)}" for estimate, label in ranked[:2])
    highest = f"<p>Highest mean Recall@{k}: {reached}.</p>" if ranked else ""
    return Html(f"<p>{compared}</p>{highest}")


def recall(groups: Sequence[Group], figures: Figures, *, ks: Sequence[int], k: int) -> Html:
    """Recall by domain and mean: a table, bars on one scale, and the curve over N; the other measures folded away."""
    domains = groups[0].domains
    measured = [group.measure(f"recall@{k}", domain=domain) for group in groups for domain in (*domains, None)]
    top = 1.2 * max((estimate.mean + (estimate.spread or 0) for estimate in measured if estimate.mean), default=1.0)
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
        key(groups),
        grid(bars),
    ]
    others = sorted({name for group in groups for name in group.measures} - {f"recall@{k}"}, key=_measure_order)
    if others:
        tables = "".join(
            f"<h3>{text(named(name))}</h3>{measure_table(groups, measure=name, domains=domains, caption=named(name))}"
            for name in others
        )
        listed = ", ".join(named(name) for name in others)
        parts.append(folded(f"Other measures: {listed}", tables))
    if len(ks) > 1:
        curves = [
            figures.add(charts.recall_curve(groups, domain=domain, ks=ks), about=f"Recall@N, {domain or 'mean'}")
            for domain in (*domains, None)
        ]
        parts += ["<h2>Recall@N against N</h2>", note("Every domain has its own axis."), key(groups), grid(curves)]
    return Html("".join(parts))


def learning(groups: Sequence[Group], figures: Figures, *, k: int) -> Html:
    """Loss and validation by epoch, for the models that were trained."""
    validations = [
        epoch.validation
        for group in groups
        for run in group.runs
        for epoch in run.epochs
        if epoch.validation is not None
    ]
    title = "<h2>Learning curves</h2>"
    if not any(run.epochs for group in groups for run in group.runs):
        return Html(f"{title}<p>None of these models is trained by epochs.</p>")
    curves = [figures.add(charts.loss_curve(groups), about="Training loss by epoch")]
    if validations:
        measures = list(validations[0].mean)
        measure = f"recall@{k}" if f"recall@{k}" in measures else measures[0]
        curves += [
            figures.add(
                charts.validation_curve(groups, domain=domain, measure=measure),
                about=f"Validation {named(measure)} by epoch, {domain or 'mean'}",
            )
            for domain in (None, *groups[0].domains)
        ]
    trained = [group for group in groups if any(run.epochs for run in group.runs)]
    axes = note("One line for each seed. The axes of the charts differ, and do not start at zero.")
    return Html(f"{title}{axes}{key(groups, shown=trained)}{grid(curves)}")


def provenance(groups: Sequence[Group]) -> Html:
    """The runs, their data, settings and versions: what it takes to make the numbers again."""
    return Html("<h2>Runs</h2>" + _runs(groups) + _data(groups) + _configuration(groups) + _versions(groups))


def _runs(groups: Sequence[Group]) -> Html:
    head = ["Model", "Seed", "Parameters", "Epochs", "Samples/s", "History", "Created", "Folder"]
    rows = []
    for group in groups:
        for run in group.runs:
            speed = median(epoch.samples_per_second for epoch in run.epochs) if run.epochs else None
            numbers = [count(run.info.parameters), count(len(run.epochs) or None), count(speed)]
            words = [text(run.metrics.history), text(run.info.created), Html(f"<code>{text(run.folder)}</code>")]
            rows.append([text(group.label), text(run.info.seed), *numbers, *words])
    return table(head, rows, caption="Runs")


def _data(groups: Sequence[Group]) -> Html:
    """Counts by domain, from the evaluation, and from the prepared dataset where it is still in its place."""
    run = groups[0].runs[0]
    try:
        rows_by_domain = read_manifest(run.prepared).by_domain
        unknown = ""
    except AdiError as error:
        rows_by_domain = {}
        unknown = note(f"Rows, users and items are not known here: {error}")
    rows = []
    for domain in groups[0].domains:
        measures, counts = run.metrics.domains[domain], rows_by_domain.get(domain)
        known = [counts.train, counts.validation, counts.users, counts.items] if counts else [None] * 4
        tested = [measures.get("queries"), measures.get("corpus")]
        rows.append([text(domain), *(count(number) for number in (*known, *tested))])
    head = ["Domain", "Training rows", "Validation rows", "Users", "Items", "Test queries", "Corpus"]
    return Html(f"<h2>Data</h2>{table(head, rows, caption='Data')}{unknown}")


def _configuration(groups: Sequence[Group]) -> Html:
    parts = ["<h2>Configuration</h2>"]
    for group in groups:
        rows = [(text(name), text(value)) for name, value in settings(group.runs[0]).items()]
        body = table(["Setting", "Value"], rows, caption=f"Settings of {group.label}", kind="words")
        parts.append(folded(group.label, body if rows else "<p>No settings.</p>"))
    return Html("".join(parts))


def _versions(groups: Sequence[Group]) -> Html:
    found: dict[str, list[str]] = {}
    for group in groups:
        for run in group.runs:
            for name, version in run.info.versions.items():
                found.setdefault(name, []).append(version)
    rows = [(text(name), text(", ".join(dict.fromkeys(versions)))) for name, versions in sorted(found.items())]
    body = table(["Package", "Version"], rows, caption="Versions", kind="words")
    return Html(f"<h2>Versions</h2>{body if rows else UNDEFINED}")


def _seed_note(groups: Sequence[Group]) -> str:
    counts = sorted({len(group.runs) for group in groups if len(group.runs) > 1})
    if not counts:
        return note("One run for each model: how far seeds spread is not known.")
    seeds = " or ".join(str(number) for number in counts)
    return note(f"± is the standard deviation over {seeds} seeds; rows without it are one run.")


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _measure_order(name: str) -> tuple[str, int]:
    measure, _, k = name.partition("@")
    return ({"recall": "0", "ndcg": "1", "mrr": "2"}.get(measure, measure), int(k) if k.isdigit() else 0)
