"""The sections of a report that say for whom a model works: by the user's history, and by the item's popularity."""

from collections.abc import Sequence

from adi.errors import AdiError
from adi.evaluation.comparison import Comparison
from adi.evaluation.groups import Group
from adi.evaluation.verdict import FEWEST_USERS
from adi.report import charts
from adi.report.charts import spoken
from adi.report.comparison import but_baseline
from adi.report.elements import Figures, grid, key, note
from adi.report.intervals import slice_intervals
from adi.report.tables import Html, text


def breakdown(groups: Sequence[Group], figures: Figures, comparison: Comparison | AdiError | None, *, k: int) -> Html:
    """Recall in each group of the test queries, and the differences there, for all that queries are divided by."""
    keys = list(dict.fromkeys(by for group in groups for run in group.runs for by in run.metrics.breakdown))
    parts = []
    for by in keys:
        lines = [
            figures.add(
                charts.breakdown_lines(groups, by=by, domain=domain, measure=f"recall@{k}"),
                about=f"Recall@{k} by {spoken(by).lower()}, {domain}",
            )
            for domain in groups[0].domains
        ]
        title = f"<h2>Recall@{k} by {text(spoken(by).lower())}</h2>"
        sizes = note("Below each group: its number of test queries. Every domain has its own axis.")
        parts.append(f"{title}{sizes}{key(groups)}{grid(lines)}")
        if isinstance(comparison, Comparison):
            parts.append(_differences(groups, figures, comparison, by=by))
    return Html("".join(parts))


def _differences(groups: Sequence[Group], figures: Figures, comparison: Comparison, *, by: str) -> str:
    """What each model gains on the baseline in each group; nothing where all groups are small."""
    intervals = [
        figures.add(specification, about=f"Difference in Recall by {spoken(by).lower()}, {domain}: intervals")
        for domain in groups[0].domains
        if (specification := slice_intervals(groups, comparison, by=by, domain=domain)) is not None
    ]
    if not intervals:
        return ""
    how = (
        f"As above: the difference to {comparison.baseline}, its 95 % interval, and what makes no difference in grey. "
        f"Below each group: its users; groups of fewer than {FEWEST_USERS} are left out. Of so many intervals, one in "
        "twenty leaves out 0 by chance."
    )
    title = f"<h3>Differences to {text(comparison.baseline)} by {text(spoken(by).lower())}</h3>"
    return f"{title}{note(how)}{key(groups, shown=but_baseline(groups, comparison))}{grid(intervals)}"
