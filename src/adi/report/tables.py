"""HTML text and tables. `Html` is text that is safe in a page; only the functions here turn other text into it."""

from collections.abc import Iterable, Sequence
from html import escape
from typing import NewType

from adi.evaluation.groups import Estimate, Group

Html = NewType("Html", str)

UNDEFINED = Html("–")
DECIMALS = 4


def text(value: object) -> Html:
    """Any value as text, with everything that HTML would read as markup escaped."""
    return Html(escape(str(value)))


def count(value: float | None) -> Html:
    """A count or a rounded rate, thousands separated."""
    return UNDEFINED if value is None else Html(f"{value:,.0f}")


def table(
    head: Sequence[str],
    rows: Iterable[Sequence[Html]],
    *,
    caption: str,
    kind: str = "numbers",
    spans: Sequence[tuple[str, int]] = (),
) -> Html:
    """A table whose first column names its rows, in a box of its own that scrolls where the screen is narrow.

    `spans` are headings above the head, each with the number of columns that it stands over.
    """
    columns = "".join(f'<th scope="col">{text(name)}</th>' for name in head)
    above = "".join(f'<th scope="colgroup" colspan="{width}">{text(name)}</th>' for name, width in spans)
    over = f"<tr>{above}</tr>" if spans else ""
    lines = "".join(
        f'<tr><th scope="row">{name}</th>{"".join(f"<td>{cell}</td>" for cell in cells)}</tr>' for name, *cells in rows
    )
    return Html(
        f'<div class="scroll" role="region" tabindex="0" aria-label="{text(caption)}">'
        f'<table class="{kind}"><thead>{over}<tr>{columns}</tr></thead><tbody>{lines}</tbody></table></div>'
    )


def measure_table(groups: Sequence[Group], *, measure: str, domains: Sequence[str], caption: str) -> Html:
    """A measure of each model in each domain and on average; the best of a column is bold, ties as shown included."""
    columns = [best_in_bold([group.measure(measure, domain=domain) for group in groups]) for domain in (*domains, None)]
    rows = zip((text(group.label) for group in groups), *columns, strict=True)
    return table(["Model", *domains, "Mean"], rows, caption=caption)


def mean_spread(estimate: Estimate) -> Html:
    """``0.5123 ± 0.0040``, the second part from two seeds on."""
    if estimate.mean is None:
        return UNDEFINED
    spread = "" if estimate.spread is None else f' <span class="spread">± {estimate.spread:.{DECIMALS}f}</span>'
    return Html(f"{estimate.mean:.{DECIMALS}f}{spread}")


def best_in_bold(estimates: Sequence[Estimate]) -> list[Html]:
    """The cells of a column of two or more."""
    shown = [None if estimate.mean is None else round(estimate.mean, DECIMALS) for estimate in estimates]
    best = max((value for value in shown if value is not None), default=None)
    cells = [mean_spread(estimate) for estimate in estimates]
    if len(cells) == 1:
        return cells  # nothing to be better than
    return [
        Html(f"<strong>{cell}</strong>") if value is not None and value == best else cell
        for cell, value in zip(cells, shown, strict=True)
    ]
