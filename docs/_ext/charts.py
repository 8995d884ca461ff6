"""Bar charts of the results pages, drawn from the tables of these pages, so that no number is written twice.

python docs/_ext/charts.py    draws docs/images/charts/*.svg anew; a test holds them against the tables
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

DOCS = Path(__file__).parents[1]
CHARTS = DOCS / "images" / "charts"
COUNTED = ("popularity", "item-knn", "user-knn", "ease", "sequential-rules", "co-clicks", "best baseline")
"""Beginnings of the names of models that are counted, not trained."""

LEFT, RIGHT, TOP, ROW = 210, 150, 46, 22
WIDTH = 760


@dataclass(frozen=True)
class Bar:
    """A row of a table: the name of a model, its value, and the standard deviation over seeds if there is one."""

    name: str
    value: float
    deviation: float = 0.0

    @property
    def colour(self) -> str:
        if self.name.lower().startswith("adi"):
            return "#4c78a8"
        return "#bab0ac" if self.name.startswith(COUNTED) else "#9ecae9"


@dataclass(frozen=True)
class Chart:
    """A chart of one column of the first table below a heading of a page."""

    name: str
    page: str
    heading: str
    column: str
    title: str

    def bars(self) -> list[Bar]:
        """The rows of the table, in its order."""
        text = (DOCS / self.page).read_text(encoding="utf-8")
        below = text[re.search(rf"^#+ {re.escape(self.heading)}$", text, re.MULTILINE).end() :]  # type: ignore[union-attr]
        header, _, *rows = _cells(re.search(r"^\|.*?(?=^\n|\Z)", below, re.MULTILINE | re.DOTALL)[0])  # type: ignore[index]
        column = header.index(self.column)
        return [_bar(row[0], row[column]) for row in rows]


ALL = (
    Chart("live-log", "results/live-log.md", "By time, live", "mean", "Globo, the next nine hours: mean recall@50"),
    Chart("xmrec", "results/xmrec.md", "XMRec", "mean", "XMRec: mean recall@10 among 100 candidates"),
    Chart("globo", "results/globo.md", "All three in one table", "last clicks", "Globo, last clicks: mean recall@50"),
    Chart("marketplace", "results/marketplace.md", "Simulated marketplace", "mean", "Marketplace: mean recall@50"),
    Chart(
        "facets",
        "results/parts.md",
        "Where the adaptation layer pays",
        "mean",
        "Features whose worth differs by domain: mean recall@50",
    ),
)


def _cells(table: str) -> list[list[str]]:
    return [[cell.strip().strip("*") for cell in line.strip("|").split("|")] for line in table.strip().splitlines()]


def _bar(name: str, cell: str) -> Bar:
    value, _, deviation = cell.partition("±")
    return Bar(name, float(value), float(deviation or 0.0))


def drawing(title: str, bars: Sequence[Bar]) -> str:
    """An SVG with a bar for each model, its value beside it, and a whisker of one standard deviation."""
    return "\n".join(_lines(title, bars)) + "\n"


def _lines(title: str, bars: Sequence[Bar]) -> Iterator[str]:
    height = TOP + ROW * len(bars) + 14
    scale = (WIDTH - LEFT - RIGHT) / max(bar.value + bar.deviation for bar in bars)
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        f'role="img" aria-label="{escape(title)}">'
    )
    yield "<style>text{font:13px system-ui,Arial,sans-serif;fill:#24292f}.title{font-weight:600}</style>"
    yield f'<rect width="{WIDTH}" height="{height}" rx="8" fill="#fff"/>'
    yield f'<text class="title" x="16" y="27">{escape(title)}</text>'
    for number, bar in enumerate(bars):
        top, middle = TOP + ROW * number, TOP + ROW * number + ROW / 2
        end = LEFT + scale * bar.value
        yield f'<text x="{LEFT - 8}" y="{middle + 4:g}" text-anchor="end">{escape(bar.name)}</text>'
        yield f'<rect x="{LEFT}" y="{top + 3}" width="{end - LEFT:.1f}" height="{ROW - 6}" fill="{bar.colour}"/>'
        spread = scale * bar.deviation
        if spread:
            yield f'<path d="M{end - spread:.1f} {middle:g}H{end + spread:.1f}" stroke="#24292f" stroke-width="1.5"/>'
        shown = f"{bar.value:.3f}" + (f" ± {bar.deviation:.3f}" if bar.deviation else "")
        yield f'<text x="{end + spread + 8:.1f}" y="{middle + 4:g}">{shown}</text>'
    yield "</svg>"


if __name__ == "__main__":
    CHARTS.mkdir(parents=True, exist_ok=True)
    for chart in ALL:
        (CHARTS / f"{chart.name}.svg").write_text(drawing(chart.title, chart.bars()), encoding="utf-8")
        print(f"{chart.name}.svg")
