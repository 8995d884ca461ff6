"""The report of a reproduction: every table and figure that was run, on one page that opens offline."""

from collections.abc import Mapping, Sequence
from typing import Any

from adi.data.manifest import Manifest
from adi.report.elements import Figures, folded, note
from adi.report.page import document
from adi.report.tables import UNDEFINED, Html, count, mean_spread, table, text
from adi.reproduce import figures as figure_sections
from adi.reproduce import sections
from adi.reproduce.cells import Cell
from adi.reproduce.folder import Record, duration
from adi.reproduce.orderings import Ordering, orderings_of
from adi.reproduce.results import Results
from adi.reproduce.tuned import read_tuned
from adi.reproduce.versions import Version

Ran = Sequence[tuple[Cell, Record]]
"""The cells of the page's tables that were started, and their records."""

ABOUT = (
    "The tables and figures of “Adaptive Domain Interest network for Multi-domain Recommendation” (CIKM 2022), run "
    "here and set beside the paper’s numbers. These are of other data, except in Table 3: what compares is the order "
    "of the methods. Every model gets the same inputs and the same training rows, keeps its best epoch on the same "
    "validation rows, and is ranked exactly: each test query over the whole corpus of its domain, or among the "
    "candidates that the data gives."
)
FIRST_LOOK = (
    '<p class="warning"><strong>A first look.</strong> One seed, one epoch, a small marketplace: it shows that '
    "everything runs, and says nothing about which method is better.</p>"
)


def render(results: Mapping[str, Sequence[Results]], ran: Ran, version: Version, *, quick: bool) -> str:
    """The whole page. `results` are those of each table by its name, one for each data set."""
    figures = Figures()
    orderings = {one.name: orderings_of(one) for own in results.values() for one in own}
    body = []
    for own in results.values():
        match own[0].table.kind:
            case "methods":
                body.append(sections.methods(own, orderings, figures))
            case "curve":
                body.append(figure_sections.curve(own, figures))
            case "interest":
                body.append(figure_sections.interest(own, figures))
    lead = f"{FIRST_LOOK if quick else ''}<p>{text(ABOUT)}</p>{_counts(ran)}{_contents(results)}"
    glance = _glance(results, orderings)
    whole = Html("".join([glance, *body, _provenance(ran, version)]))
    return document(text("ADI, reproduced"), Html(lead), whole, figures.specifications)


def _counts(ran: Ran) -> str:
    states = [record.status for _, record in ran]
    done, failed = states.count("done"), states.count("failed")
    took = duration(sum(record.seconds for _, record in ran))
    more = f", and {failed} failed" if failed else ""
    return f"<p>A cell is a model with its settings, on a data set, with a seed: {done} are done{more}, in {took}.</p>"


def _contents(results: Mapping[str, Sequence[Results]]) -> str:
    lines = [
        f'<a href="#{name}">{text(own[0].table.title)}</a>: '
        + ", ".join(f'<a href="#{one.name}">{text(one.dataset)}</a>' for one in own)
        for name, own in results.items()
    ]
    lines.append('<a href="#provenance">Data, settings and versions</a>')
    return f'<ul class="notes">{"".join(f"<li>{line}</li>" for line in lines)}</ul>'


def _glance(results: Mapping[str, Sequence[Results]], orderings: Mapping[str, Sequence[Ordering]]) -> str:
    """The highest method of each table on each data set, and how far the order of methods is the paper's."""
    rows = [
        [_named(one, ordering), _highest(one), *_decided(ordering), text(f"{ordering.tau:+.2f}")]
        for own in results.values()
        for one in own
        for ordering in orderings[one.name]
    ]
    if not rows:
        return ""
    head = ["Table", "Highest mean", "As in the paper", "Reversed", "Not decided", "Kendall's tau"]
    explained = note("How many pairs of the paper's methods come out in its order, by their means over the domains.")
    return f"<h2>At a glance</h2>{table(head, rows, caption='At a glance')}{explained}"


def _named(results: Results, ordering: Ordering) -> Html:
    short = results.table.title.partition(":")[0]
    words = ", ".join(filter(None, (short, results.dataset, ordering.form)))
    return Html(f'<a href="#{results.name}">{text(words)}</a>')


def _decided(ordering: Ordering) -> list[Html]:
    return [count(len(ordering.of(verdict))) for verdict in ("agrees", "disagrees", "not decided")]


def _highest(results: Results) -> Html:
    reached = [(group.measure(results.table.measure), row.label) for row, group in results.reached]
    best, label = max(reached, key=lambda pair: pair[0].mean or 0)
    return Html(f"{text(label)} {mean_spread(best)}")


def _provenance(ran: Ran, version: Version) -> str:
    datasets = tuple(dict.fromkeys(cell.dataset for cell, _ in ran))
    torch = ", ".join(dict.fromkeys(record.torch for _, record in ran)) or "none"
    code = note(f"Code of adi: {version.code}, a digest of what makes results. torch: {torch}.")
    data = "".join(_data(name, version.manifests[name]) for name in datasets)
    every = folded("Every cell", _cells(ran))
    return f'<h2 id="provenance">Data, settings and versions</h2>{code}{data}{_settings(datasets)}{every}'


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
    """What is tuned for each data set; all else is a model's default or what its row says."""
    rows = []
    for name in datasets:
        tuned = read_tuned(name)
        settings = {("every two-tower model", key): value for key, value in tuned.two_tower.items()}
        settings |= {(model, key): value for model, own in tuned.models.items() for key, value in own.items()}
        rows += [[text(name), text(model), text(key), text(_plain(value))] for (model, key), value in settings.items()]
        if not settings:
            rows.append([text(name), text("every model"), text("all"), text("the defaults")])
    head = ["Data set", "Model", "Setting", "Value"]
    return f"<h3>Settings</h3>{table(head, rows, caption='Settings tuned for each data set', kind='words')}"


def _plain(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _cells(ran: Ran) -> Html:
    rows = [
        [
            text(f"{cell.dataset} / {cell.name}"),
            count(cell.seed),
            text(record.status),
            UNDEFINED if record.status == "started" else count(record.seconds),
        ]
        for cell, record in ran
    ]
    return table(["Cell", "Seed", "State", "Seconds"], rows, caption="Every cell")
