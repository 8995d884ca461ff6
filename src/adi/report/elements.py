"""Elements of a report as HTML: text, tables, notes, legends and placeholders of charts.

`Html` is text that is safe in a page; other text becomes `Html` only by `text`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import NewType

from adi.report import charts
from adi.report.charts import Specification
from adi.runs.groups import Estimate, RunGroup

Html = NewType("Html", str)

UNDEFINED = Html("–")
DECIMALS = 4
WIDE = 5


@dataclass
class Figures:
    """The charts of a page: HTML placeholders for its body, and specifications for its script."""

    specifications: dict[str, Specification] = field(default_factory=dict)

    def add(self, specification: Specification, *, about: str, columns: int = 0) -> Html:
        """The place of a chart; one with more than `WIDE` columns, of a heat map, has the page's whole width."""
        name = f"chart-{len(self.specifications) + 1}"
        self.specifications[name] = specification
        wide = f' class="chart wide" tabindex="0" style="--columns: {columns}"' if columns > WIDE else ' class="chart"'
        return Html(f'<figure{wide} id="{name}" aria-label="{text(about)}"></figure>')


def text(value: object) -> Html:
    """Any value as text, with HTML markup escaped."""
    return Html(escape(str(value)))


def count(value: float | None) -> Html:
    """A count or a rounded rate, with thousands separated."""
    return UNDEFINED if value is None else Html(f"{value:,.0f}")


def mean_spread(estimate: Estimate, *, decimals: int = DECIMALS) -> Html:
    """``0.5123 ± 0.0040``; without the spread where there is one seed."""
    if estimate.mean is None:
        return UNDEFINED
    spread = "" if estimate.spread is None else f' <span class="spread">± {estimate.spread:.{decimals}f}</span>'
    return Html(f"{estimate.mean:.{decimals}f}{spread}")


def table(
    head: Sequence[str],
    rows: Iterable[Sequence[Html]],
    *,
    caption: str,
    kind: str = "numbers",
    spans: Sequence[tuple[str, int]] = (),
) -> Html:
    """A table whose first column names its rows, in a box that scrolls where the screen is narrow.

    `spans` are headings above the head, each with the number of columns below it. `kind` is the table's CSS class.
    """
    columns = "".join(f'<th scope="col">{text(name)}</th>' for name in head)
    headings = "".join(f'<th scope="colgroup" colspan="{width}">{text(name)}</th>' for name, width in spans)
    above = f"<tr>{headings}</tr>" if spans else ""
    body = "".join(
        f'<tr><th scope="row">{name}</th>{"".join(f"<td>{cell}</td>" for cell in cells)}</tr>' for name, *cells in rows
    )
    return Html(
        f'<div class="scroll" role="region" tabindex="0" aria-label="{text(caption)}">'
        f'<table class="{kind}"><thead>{above}<tr>{columns}</tr></thead><tbody>{body}</tbody></table></div>'
    )


def measure_table(groups: Sequence[RunGroup], *, measure: str, domains: Sequence[str], caption: str) -> Html:
    """A measure of each model by domain and on average, the highest of each column in bold."""
    columns = {
        domain or "Mean": [group.measure(measure, domain=domain) for group in groups] for domain in (*domains, None)
    }
    over_queries = [group.measure_over_queries(measure) for group in groups]
    if any(estimate.mean is not None for estimate in over_queries):
        columns["Over queries"] = over_queries
    rows = zip((text(group.label) for group in groups), *map(bold_highest, columns.values()), strict=True)
    return table(["Model", *columns], rows, caption=caption)


def bold_highest(estimates: Sequence[Estimate]) -> list[Html]:
    """The cells of a column, the highest in bold, and those equal to it as shown; nothing in bold in a single row."""
    cells = [mean_spread(estimate) for estimate in estimates]
    if len(cells) == 1:
        return cells
    shown = [None if estimate.mean is None else round(estimate.mean, DECIMALS) for estimate in estimates]
    highest = max((value for value in shown if value is not None), default=None)
    return [
        Html(f"<strong>{cell}</strong>") if value is not None and value == highest else cell
        for cell, value in zip(cells, shown, strict=True)
    ]


def legend(groups: Sequence[RunGroup], *, shown: Sequence[RunGroup] | None = None) -> Html:
    """The colours and shapes of all models, or of those `shown` in the charts below."""
    labels = {group.label for group in shown or groups}
    return legend_of((label, colour, shape) for label, colour, shape in charts.looks(groups) if label in labels)


def legend_of(entries: Iterable[tuple[str, str, str]]) -> Html:
    """A legend from names, colours and shapes, the shapes as characters."""
    items = "".join(
        f'<li><span style="color:{colour}" aria-hidden="true">{shape}</span>{text(name)}</li>'
        for name, colour, shape in entries
    )
    return Html(f'<ul class="key" aria-label="Key">{items}</ul>')


def note(sentence: str) -> Html:
    return Html(f'<p class="note">{text(sentence)}</p>')


def folded(summary: str, content: str, *, is_open: bool = False) -> Html:
    """Content that a click on its summary shows."""
    return Html(
        f'<details class="folded"{" open" if is_open else ""}><summary>{text(summary)}</summary>{content}</details>'
    )


def grid(figures: Sequence[Html]) -> Html:
    """Charts side by side, as many as fit."""
    return Html(f'<div class="charts">{"".join(figures)}</div>')
