"""What the sections of a report are made of beside text and tables: charts in their places, keys, notes and folds."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from adi.evaluation.groups import Group
from adi.report import charts
from adi.report.charts import Specification
from adi.report.tables import Html, text


@dataclass
class Figures:
    """The charts of a page: their places as HTML, and their specifications, kept for the page's script."""

    specifications: dict[str, Specification] = field(default_factory=dict)

    def add(self, specification: Specification, *, about: str) -> Html:
        name = f"chart-{len(self.specifications) + 1}"
        self.specifications[name] = specification
        return Html(f'<figure class="chart" id="{name}" aria-label="{text(about)}"></figure>')


def key(groups: Sequence[Group], *, shown: Sequence[Group] | None = None) -> str:
    """What colours and shapes stand for; of all models, or of those `shown` in the charts below."""
    labels = {group.label for group in shown or groups}
    entries = "".join(
        f'<li><span style="color:{colour}" aria-hidden="true">{shape}</span>{text(label)}</li>'
        for label, colour, shape in charts.key(groups)
        if label in labels
    )
    return f'<ul class="key" aria-label="Key">{entries}</ul>'


def note(sentence: str) -> str:
    return f'<p class="note">{text(sentence)}</p>'


def folded(summary: str, content: str) -> str:
    return f'<details class="folded"><summary>{text(summary)}</summary>{content}</details>'


def grid(figures: Sequence[Html]) -> str:
    return f'<div class="charts">{"".join(figures)}</div>'
