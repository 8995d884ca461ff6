"""The section of a report that decides: each model against the baseline, and what the domains have in common."""

from collections.abc import Sequence

from adi.data.overlap import Overlap, Overlaps, overlaps
from adi.errors import AdiError
from adi.evaluation.breakdown import BREAKDOWNS
from adi.evaluation.comparable import baseline_among
from adi.evaluation.comparison import Comparison, compare_groups
from adi.evaluation.difference import Difference
from adi.evaluation.groups import Group
from adi.evaluation.verdict import summary
from adi.report.charts import named
from adi.report.elements import Figures, grid, key, note
from adi.report.intervals import difference_intervals
from adi.report.tables import DECIMALS, UNDEFINED, Html, count, table, text


def compared(groups: Sequence[Group], *, k: int, baseline: str | None) -> Comparison | AdiError | None:
    """The comparison of the models, by all that queries are divided by; None where one model is alone.

    Runs that do not compare, such as those evaluated before ranks were kept, give the fault, for the page to say it.
    Raises `AdiError` for a baseline that is not there.
    """
    baseline_among(groups, baseline)
    if len(groups) < 2:
        return None
    try:
        return compare_groups(groups, measure=f"recall@{k}", baseline=baseline, by=tuple(BREAKDOWNS))
    except AdiError as error:
        return error


def differences(groups: Sequence[Group], figures: Figures, comparison: Comparison | AdiError | None) -> Html:
    """Differences with intervals and their verdicts, then the overlap of the domains."""
    if comparison is None:
        return Html("")
    if isinstance(comparison, AdiError):
        return Html(f"<h2>Differences</h2>{note(f'Not known here: {comparison}')}")
    how = (
        f"A point is the difference to {comparison.baseline}, its line the 95 % interval over users and seeds "
        f"({comparison.replicates:,} draws), the grey band what makes no difference (within {comparison.margin:g}). "
        "Each interval holds for itself, not for all at once."
    )
    parts = [
        f"<h2>Differences in {named(comparison.measure)} to {text(comparison.baseline)}</h2>",
        _in_words(comparison),
        note(how),
        *(note(sentence) for sentence in comparison.notes),
        key(groups, shown=but_baseline(groups, comparison)),
        grid(_charts(groups, comparison, figures)),
        _table(comparison),
        _overlaps(groups),
    ]
    return Html("".join(parts))


def but_baseline(groups: Sequence[Group], comparison: Comparison) -> list[Group]:
    """The models that have differences."""
    return [group for group in groups if group.label != comparison.baseline]


def _in_words(comparison: Comparison) -> str:
    sentences = []
    for model, subject in comparison.subjects.items():
        found = {one.domain: one.verdict for one in comparison.of(model) if one.domain is not None}
        named_first = "" if subject == model else f"{model}: "
        sentences.append(f"<li>{text(named_first + summary(subject, found))}.</li>")
    return f"<ul>{''.join(sentences)}</ul>"


def _charts(groups: Sequence[Group], comparison: Comparison, figures: Figures) -> list[Html]:
    """One chart for each domain and the mean, on one scale."""
    shown = [one for model in comparison.subjects for one in comparison.of(model)]
    bounds = [bound for one in shown for bound in (one.low, one.high) if bound is not None]
    low, high = min(*bounds, -comparison.margin), max(*bounds, comparison.margin)
    room = 0.05 * (high - low)
    return [
        figures.add(
            difference_intervals(groups, comparison, domain=domain, extent=(low - room, high + room)),
            about=f"Difference in {named(comparison.measure)}, {domain or 'mean'}: intervals",
        )
        for domain in (*groups[0].domains, None)
    ]


def _table(comparison: Comparison) -> Html:
    rows = [[text(model), *(_cell(one) for one in comparison.of(model))] for model in comparison.subjects]
    domains = [one.domain or "Mean" for one in comparison.of(next(iter(comparison.subjects)))]
    return table(["Model", *domains], rows, caption=f"Differences to {comparison.baseline}")


def _cell(one: Difference) -> Html:
    if one.difference is None or one.low is None or one.high is None:
        return UNDEFINED
    interval = f"{one.low:+.{DECIMALS}f} to {one.high:+.{DECIMALS}f}"
    return Html(f'{one.difference:+.{DECIMALS}f} {one.verdict}<br><span class="spread">{interval}</span>')


def _overlaps(groups: Sequence[Group]) -> str:
    """Users and items in common, from the prepared dataset where it is still in its place."""
    title = "<h3>What the domains have in common</h3>"
    try:
        found = overlaps(groups[0].runs[0].open_dataset())
    except AdiError as error:
        return f"{title}{note(f'Not known here: {error}')}"
    how = "Counted in the training and validation rows: those in a domain, and those in both of a pair."
    tables = _overlap_table("Users", found, found.users) + _overlap_table("Items", found, found.items)
    return f"{title}<p>{text(found.in_words())}.</p>{note(how)}{tables}"


def _overlap_table(name: str, found: Overlaps, overlap: Overlap) -> str:
    rows = [
        [text(domain), *(count(number) for number in row)]
        for domain, row in zip(found.domains, overlap.together.tolist(), strict=True)
    ]
    return table([name, *found.domains], rows, caption=f"{name} in common")
