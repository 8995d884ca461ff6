"""The section of a report with two models side by side: what their lists share, and whose items each alone hits."""

from collections.abc import Sequence
from dataclasses import dataclass

import altair as alt
import numpy as np

from adi.comparison.difference import FEWEST_USERS
from adi.data.arrays import Array
from adi.errors import AdiError, ArgumentError, suggestion
from adi.evaluation.breakdown import group_numbers, labels
from adi.report.charts import LINE_HEIGHT, Row, Specification, colour, readable, short, two_lines
from adi.report.elements import UNDEFINED, Figures, Html, count, folded, grid, legend, note, table, text
from adi.runs.groups import RunGroup
from adi.runs.lists import QueryLists, read_lists
from adi.runs.ranks import QueryRanks, read_ranks
from adi.runs.run import Run

SHOWN_BY = ("history_length", "item_popularity")
"""The groups of queries that are shown, of `adi.evaluation.breakdown.BREAKDOWNS`."""


@dataclass(frozen=True)
class Hits:
    """The numbers of queries whose item is in the lists of both models, of one alone, and of neither."""

    both: int
    first: int
    second: int
    neither: int

    @classmethod
    def of(cls, first: Array, second: Array) -> "Hits":
        """Count queries from whether each model hits them, (n,) each."""
        both, either = first & second, first | second
        alone = (first & ~second).sum(), (second & ~first).sum()
        return cls(int(both.sum()), int(alone[0]), int(alone[1]), int((~either).sum()))

    @property
    def queries(self) -> int:
        return self.both + self.first + self.second + self.neither

    @property
    def alone(self) -> tuple[float, float]:
        """The shares of the queries that each model alone hits."""
        return self.first / self.queries, self.second / self.queries


def chosen_pair(groups: Sequence[RunGroup], labels: tuple[str, str] | None, *, k: int) -> tuple[RunGroup, RunGroup]:
    """The two models that are named, or the best in mean recall@k and the best of the others that are not trained.

    Where all others are trained, the second is the second best. Raises `ArgumentError` for a label that no model has,
    and for one that is given twice.
    """
    if labels is not None:
        known = {group.label: group for group in groups}
        for label in labels:
            if label not in known:
                listed = "; ".join(known)
                raise ArgumentError("pair", f"'{label}' is not one of {listed}.{suggestion(label, known)}")
        if labels[0] == labels[1]:
            raise ArgumentError("pair", f"'{labels[0]}' is given twice. Name two models.")
        return known[labels[0]], known[labels[1]]
    ranked = sorted(groups, key=lambda group: -(group.measure(f"recall@{k}").mean or 0.0))
    others = ranked[1:]
    return ranked[0], next((group for group in others if not group.trained), others[0])


def side_by_side(groups: Sequence[RunGroup], figures: Figures, *, k: int, labels: tuple[str, str] | None) -> Html:
    """Two models by domain: what their lists share, and the queries that each alone hits; empty for a single model."""
    if len(groups) < 2:
        return Html("")
    pair = chosen_pair(groups, labels, k=k)
    first, second = pair
    title = f"<h2>{text(first.label)} and {text(second.label)} side by side</h2>"
    try:
        ranks = read_ranks(first.runs[0]), read_ranks(second.runs[0])
    except AdiError as error:
        return Html(f"{title}{note(f'Not available: {error}')}")
    domains = first.domains
    hits = {domain: [ranks_of[domain].ranks < k for ranks_of in ranks] for domain in domains}
    seeds = [f"{group.label}, seed {group.runs[0].info.seed}" for group in pair if len(group.runs) > 1]
    of_seeds = f" Of {' and '.join(seeds)}." if seeds else ""
    explanation = (
        f"A model hits a test query if the item that was held out is among the first {k} of its list.{of_seeds} "
        f"Overlap: the mean share of {_first_items(pair)} that both lists of a query have."
    )
    overlaps, missing = _overlaps(first.runs[0], second.runs[0])
    rows = []
    for domain in domains:
        of_domain = Hits.of(*hits[domain])
        rows.append([text(domain), count(of_domain.queries), _share(overlaps.get(domain)), *_cells(of_domain)])
    head = ["Domain", "Queries", "Overlap", *_heads(first, second)]
    parts = [
        title,
        note(explanation),
        table(head, rows, caption=f"{first.label} and {second.label} by domain"),
        missing,
    ]
    parts += [_by(groups, figures, pair, ranks[0], hits, by=by, k=k) for by in SHOWN_BY]
    return Html("".join(parts))


def _first_items(pair: Sequence[RunGroup]) -> str:
    """The part of the lists that overlaps are of, in words."""
    lengths = [group.runs[0].metrics.lists.k for group in pair if group.runs[0].metrics.lists is not None]
    return f"the first {min(lengths)} items" if lengths else "items"


def _overlaps(first: Run, second: Run) -> tuple[dict[str, float | None], Html]:
    """The overlap of two runs' lists by domain, and a note where a run has none."""
    try:
        lists, other_lists = read_lists(first), read_lists(second)
    except AdiError as error:
        return {}, note(f"Overlap is not available: {error}")
    return {domain: mean_overlap(lists[domain], other_lists[domain]) for domain in first.domains}, Html("")


def mean_overlap(lists: QueryLists, other: QueryLists) -> float | None:
    """The mean share of items that two models' lists A and B of a query have in common; None without such queries.

    overlap = mean over queries of  |A ∩ B| / max(|A|, |B|)

    Where one model's lists are longer, since it was evaluated at other K, both are cut at the shorter length.
    """
    rows, length = np.intersect1d(lists.rows, other.rows), min(lists.items.shape[1], other.items.shape[1])
    shares = []
    for ours, theirs in zip(lists.of(rows)[:, :length], other.of(rows)[:, :length], strict=True):
        lengths = (ours >= 0).sum(), (theirs >= 0).sum()
        if max(lengths):
            shares.append(len(np.intersect1d(ours[ours >= 0], theirs[theirs >= 0])) / max(lengths))
    return float(np.mean(shares)) if shares else None


def _by(
    groups: Sequence[RunGroup],
    figures: Figures,
    pair: tuple[RunGroup, RunGroup],
    ranks: dict[str, QueryRanks],
    hits: dict[str, list[Array]],
    *,
    by: str,
    k: int,
) -> str:
    """The queries that each model alone hits, by groups of them: a chart for each domain, and the numbers."""
    first, second = pair
    rows: list[list[Html]] = []
    shown: dict[str, dict[str, Hits]] = {}
    for domain, of_domain in ranks.items():
        if by not in of_domain.by or not len(of_domain.rows):
            continue
        numbers = group_numbers(by, of_domain.by[by])
        by_group = {
            label: Hits.of(*(hit[numbers == number] for hit in hits[domain]))
            for number, label in enumerate(labels(by))
            if (numbers == number).any()
        }
        rows += [
            [text(domain), text(label), count(group_hits.queries), *_cells(group_hits)]
            for label, group_hits in by_group.items()
        ]
        shown[domain] = {
            label: group_hits for label, group_hits in by_group.items() if group_hits.queries >= FEWEST_USERS
        }
    shares = [share for by_group in shown.values() for group_hits in by_group.values() for share in group_hits.alone]
    if not shares:
        return ""
    name, top = readable(by).lower(), max(*shares, 0.01)
    charts = [
        figures.add(
            alone_bars(groups, pair, by_group, title=domain, by=by, top=top),
            about=f"Queries that one model alone hits by {name}, {domain}",
        )
        for domain, by_group in shown.items()
        if by_group
    ]
    heading = f"<h3>Hits of one model alone by {text(name)}</h3>"
    explanation = note(
        f"Up: the share of a group's queries that {first.label} alone hits; down: that {second.label} alone hits. "
        f"Below each group: its number of queries; groups of fewer than {FEWEST_USERS} are left out."
    )
    in_numbers = table(["Domain", readable(by), "Queries", *_heads(first, second)], rows, caption=f"Hits@{k} by {name}")
    return f"{heading}{explanation}{legend(groups, shown=pair)}{grid(charts)}{folded('In numbers', in_numbers)}"


def alone_bars(
    groups: Sequence[RunGroup],
    pair: tuple[RunGroup, RunGroup],
    by_group: dict[str, Hits],
    *,
    title: str,
    by: str,
    top: float,
) -> Specification:
    """Bars from zero: up the share that the first model alone hits, down the second's, on an axis to `top`."""
    rows: list[Row] = []
    names = [f"{label}|{short(group_hits.queries)}" for label, group_hits in by_group.items()]
    for name, group_hits in zip(names, by_group.values(), strict=True):
        for group, share, sign in zip(pair, group_hits.alone, (1, -1), strict=True):
            alone = group_hits.first if sign > 0 else group_hits.second
            rows.append({"model": group.label, "x": name, "signed": sign * share, "share": share, "queries": alone})
    chart: alt.Chart = (
        alt.Chart(alt.InlineData(values=rows), title=title, width="container", height=LINE_HEIGHT)
        .mark_bar()
        .encode(
            x=alt.X("x:O", sort=names, title=f"{readable(by)}, and test queries", axis=two_lines()),
            y=alt.Y(
                "signed:Q",
                title="Share hit by one alone",
                scale=alt.Scale(domain=[-top, top]),
                axis=alt.Axis(tickCount=5, labelExpr="format(100 * abs(datum.value), '.2~f') + ' %'"),
            ),
            color=colour(groups),
            tooltip=["model:N", alt.Tooltip("share:Q", format=".1%"), alt.Tooltip("queries:Q", format=",")],
        )
    )
    return chart.to_dict()


def _heads(first: RunGroup, second: RunGroup) -> list[str]:
    return ["Both hit", f"{first.label} alone", f"{second.label} alone", "Neither"]


def _cells(hits: Hits) -> list[Html]:
    """Numbers of queries with their shares."""
    numbers = (hits.both, hits.first, hits.second, hits.neither)
    total = max(hits.queries, 1)
    return [Html(f'{count(number)} <span class="spread">{100 * number / total:.1f} %</span>') for number in numbers]


def _share(value: float | None) -> Html:
    return UNDEFINED if value is None else Html(f"{value:.3f}")
