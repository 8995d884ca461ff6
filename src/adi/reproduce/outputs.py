"""Outputs of a grid: a CSV of each table, a picture of it on each data set, and one HTML report of all."""

from collections.abc import Mapping, Sequence
from math import ceil, sqrt
from pathlib import Path
from typing import Any

from adi.data.folder import replace_file
from adi.data.manifest import Manifest
from adi.grid.cells import Cell, CellRecord
from adi.grid.folder import GridFolder
from adi.grid.versions import Version, duration
from adi.report.charts import Specification
from adi.report.elements import UNDEFINED, Figures, Html, count, folded, mean_spread, note, table, text
from adi.report.page import document
from adi.reproduce import charts, sections
from adi.reproduce.interest import checked_sides, heat_maps, interest
from adi.reproduce.lines import Line, distinct_cells, lines_of
from adi.reproduce.online import intervals, online
from adi.reproduce.orderings import Ordering, orderings_of
from adi.reproduce.requests import requested
from adi.reproduce.results import Results, results_of, write_csv
from adi.reproduce.tables import TABLES
from adi.reproduce.tuned import read_tuned

Records = Sequence[tuple[Cell, CellRecord]]
"""The cells of a report's tables that were started, and their records."""

COLUMNS = {"interest": 4, "online": 3}
"""Charts in a row of a picture: those of a model, those of the metrics."""

ABOUT = (
    "The tables and figures of “Adaptive Domain Interest network for Multi-domain Recommendation” (CIKM 2022), "
    "reproduced beside the paper’s numbers. Except in Table 3 the data are not the paper’s, so what can be compared is "
    "the order of the methods. Every model gets the same inputs and the same training rows, keeps its best epoch on "
    "the same validation rows, and is ranked exactly: each test query over the whole corpus of its domain, or among "
    "the candidates that the data have."
)
QUICK_LOOK = (
    '<p class="warning"><strong>A quick look.</strong> One seed, one epoch, a small marketplace: it shows that '
    "everything runs, and nothing about which method is better.</p>"
)


def write_outputs(folder: GridFolder, version: Version, *, quick: bool) -> Path:
    """Write all tables ever requested in a folder, as far as this version has results; returns the report's path."""
    requests = requested(folder)
    results: dict[str, list[Results]] = {}
    lines: list[Line] = []
    for name, grid_table in TABLES.items():
        for dataset in grid_table.datasets:
            if dataset in requests.get(name, {}):
                table_lines = lines_of(grid_table, dataset, seeds=requests[name][dataset], quick=quick)
                results.setdefault(name, []).append(results_of(grid_table, dataset, table_lines, folder, version))
                lines += table_lines
    for name, parts in results.items():
        write_csv(folder.root / f"{name}.csv", parts)
        for result in parts:
            if specifications := pictures(result):
                charts.write_picture(
                    folder.root / f"{result.name}.png",
                    specifications,
                    title=f"{result.table.title}, {result.dataset}",
                    looks=charts.looks_of(result),
                    columns=COLUMNS.get(result.table.kind) or ceil(sqrt(len(specifications))),
                )
    records = [
        (cell, record)
        for cell in distinct_cells(lines)
        if (record := folder.record(cell)) is not None and version.difference(cell, record) is None
    ]
    report = folder.root / "report.html"
    replace_file(report, render(results, records, version, quick=quick).encode())
    return report


def pictures(results: Results) -> Sequence[Specification]:
    """The charts of a table on a data set; empty where no row has results."""
    if not results.finished:
        return []
    if results.table.kind == "interest":
        return [
            chart
            for row, group in results.finished
            for side in checked_sides(group)
            for chart in heat_maps(side, row.label)
        ]
    if results.table.kind == "online":
        return intervals(results)
    draw = charts.curves if results.table.kind == "curve" else charts.dots
    return [draw(results, domain=domain) for domain in (None, *results.domains)]


def render(results: Mapping[str, Sequence[Results]], records: Records, version: Version, *, quick: bool) -> str:
    """The report as HTML; `results` has those of each table by its name, one for each data set."""
    figures = Figures()
    orderings = {result.name: orderings_of(result) for parts in results.values() for result in parts}
    body = []
    for parts in results.values():
        match parts[0].table.kind:
            case "methods":
                body.append(sections.methods(parts, orderings, figures))
            case "curve":
                body.append(sections.curve(parts, figures))
            case "interest":
                body.append(interest(parts, figures))
            case "online":
                body.append(online(parts, figures))
    lead = f"{QUICK_LOOK if quick else ''}<p>{text(ABOUT)}</p>{_counts(records)}{_contents(results)}"
    content = Html("".join([_overview(results, orderings), *body, _provenance(records, version)]))
    return document(text("ADI, reproduced"), Html(lead), content, figures.specifications)


def _counts(records: Records) -> str:
    states = [record.status for _, record in records]
    done, failed = states.count("done"), states.count("failed")
    time = duration(sum(record.seconds for _, record in records))
    more = f", and {failed} failed" if failed else ""
    return f"<p>A cell is a model with its settings, on a data set, with a seed: {done} are done{more}, in {time}.</p>"


def _contents(results: Mapping[str, Sequence[Results]]) -> str:
    lines = [
        f'<a href="#{name}">{text(parts[0].table.title)}</a>: '
        + ", ".join(f'<a href="#{result.name}">{text(result.dataset)}</a>' for result in parts)
        for name, parts in results.items()
    ]
    lines.append('<a href="#provenance">Data, settings and versions</a>')
    return f'<ul class="notes">{"".join(f"<li>{line}</li>" for line in lines)}</ul>'


def _overview(results: Mapping[str, Sequence[Results]], orderings: Mapping[str, Sequence[Ordering]]) -> str:
    """The highest method of each table on each data set, and how far the order of methods agrees with the paper's."""
    rows = [
        [_link(result, ordering), _highest(result), *_agreements(ordering), text(f"{ordering.tau:+.2f}")]
        for parts in results.values()
        for result in parts
        for ordering in orderings[result.name]
    ]
    if not rows:
        return ""
    head = ["Table", "Highest mean", "As in the paper", "Reversed", "Not decided", "Kendall's tau"]
    explanation = note("Pairs of the paper's methods by whether their means over the domains are in the paper's order.")
    return f"<h2>At a glance</h2>{table(head, rows, caption='At a glance')}{explanation}"


def _link(results: Results, ordering: Ordering) -> Html:
    title = results.table.title.partition(":")[0]
    words = ", ".join(filter(None, (title, results.dataset, ordering.form)))
    return Html(f'<a href="#{results.name}">{text(words)}</a>')


def _agreements(ordering: Ordering) -> list[Html]:
    return [count(len(ordering.of(agreement))) for agreement in ("agrees", "disagrees", "not decided")]


def _highest(results: Results) -> Html:
    estimates = [(group.measure(results.table.measure), row.label) for row, group in results.finished]
    highest, label = max(estimates, key=lambda pair: pair[0].mean or 0)
    return Html(f"{text(label)} {mean_spread(highest)}")


def _provenance(records: Records, version: Version) -> str:
    datasets = tuple(dict.fromkeys(cell.dataset for cell, _ in records))
    torch = ", ".join(dict.fromkeys(record.torch for _, record in records)) or "none"
    code = note(f"Code of adi: {version.code}, a digest of the parts that make results. torch: {torch}.")
    data = "".join(_data(name, version.manifests[name]) for name in datasets)
    cells = folded("All cells", _cells(records))
    return f'<h2 id="provenance">Data, settings and versions</h2>{code}{data}{_settings(datasets)}{cells}'


def _data(name: str, manifest: Manifest) -> str:
    columns = ("train", "validation", "test", "users", "items", "corpus")
    rows = [
        [text(domain), *(count(getattr(counts, column)) for column in columns)]
        for domain, counts in manifest.by_domain.items()
    ]
    head = ["Domain", "Training rows", "Validation rows", "Test rows", "Users", "Items", "Corpus"]
    fingerprint = note(f"Fingerprint of the prepared data: {manifest.fingerprint}.")
    return f"<h3>{text(name)}</h3>{table(head, rows, caption=f'Rows of {name}')}{fingerprint}"


def _settings(datasets: Sequence[str]) -> str:
    """The settings tuned for each data set; all others are a model's default or set by a table's row."""
    rows = []
    for name in datasets:
        tuned = read_tuned(name)
        settings = {("every two-tower model", key): value for key, value in tuned.two_tower.items()}
        settings |= {(model, key): value for model, values in tuned.models.items() for key, value in values.items()}
        rows += [[text(name), text(model), text(key), text(_plain(value))] for (model, key), value in settings.items()]
        if not settings:
            rows.append([text(name), text("every model"), text("all"), text("the defaults")])
    head = ["Data set", "Model", "Setting", "Value"]
    return f"<h3>Settings</h3>{table(head, rows, caption='Settings tuned for each data set', kind='words')}"


def _plain(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _cells(records: Records) -> Html:
    rows = [
        [
            text(f"{cell.dataset} / {cell.name}"),
            count(cell.seed),
            text(record.status),
            UNDEFINED if record.status == "started" else count(record.seconds),
        ]
        for cell, record in records
    ]
    return table(["Cell", "Seed", "State", "Seconds"], rows, caption="All cells")
