"""The section of a report with examples: the lists of every model for a few test queries of each domain."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np

from adi.data.arrays import Array
from adi.data.dataset import Dataset
from adi.errors import AdiError
from adi.report.elements import Html, folded, note, text
from adi.report.items import Item, items_of
from adi.runs.groups import RunGroup
from adi.runs.lists import QueryLists, read_lists
from adi.runs.ranks import QueryRanks, read_ranks
from adi.runs.run import Run

SEED = 0
MOST_LISTED = 10
MOST_OF_HISTORY = 8


@dataclass(frozen=True)
class ModelLists:
    """The lists and ranks of a model's first run, by domain."""

    label: str
    lists: Mapping[str, QueryLists]
    ranks: Mapping[str, QueryRanks]


def example_lists(groups: Sequence[RunGroup], *, number: int) -> Html:
    """The lists for `number` test queries of each domain, drawn alike for all reports on the data; empty for 0.

    Says why where there are none: runs without lists, or data that is no longer there.
    """
    if not number:
        return Html("")
    title = "<h2>Examples</h2>"
    try:
        dataset = groups[0].runs[0].open_dataset()
        models = [
            ModelLists(group.label, read_lists(run), read_ranks(run)) for group in groups for run in group.runs[:1]
        ]
    except AdiError as error:
        return Html(f"{title}{note(f'Not available: {error}')}")
    parts: list[Html] = []
    for domain in groups[0].domains:
        rows = drawn_rows([model.lists[domain].rows for model in models], number)
        shown = [_example(dataset, groups[0].runs[0], models, domain, int(row)) for row in rows]
        parts.append(folded(domain, "".join(shown) or "<p>No test queries.</p>", is_open=not parts))
    explanation = (
        f"{number} test queries of each domain, drawn at random: what the user did before, the item that was held out, "
        f"and the first {MOST_LISTED} items of each model's list. ★ marks the item that was held out."
    )
    return Html(title + note(explanation) + "".join(parts))


def image_sources(run: Run) -> tuple[str, ...]:
    """The hosts of the pictures of items, of a run whose data is still there (`adi.data.manifest.DisplayInfo`)."""
    try:
        display = run.open_dataset().manifest.display
    except AdiError:  # the section of the examples says so
        return ()
    return () if display is None else display.image_sources


def drawn_rows(sampled: Sequence[Array], number: int) -> Array:
    """At most `number` of the rows that all models have lists of, drawn with a fixed seed, ascending."""
    shared: Array = reduce(np.intersect1d, sampled)
    drawn: Array = np.sort(np.random.default_rng(SEED).permutation(shared)[:number])
    return drawn


def _example(dataset: Dataset, run: Run, models: Sequence[ModelLists], domain: str, row: int) -> str:
    """One query: its user, history, held-out item and lists."""
    rows, of_domain = np.array([row]), dataset.domains.index(domain)
    users, targets, _ = dataset.targets("test", rows)
    metrics, target = run.metrics, int(targets[0])
    queries = dataset.queries("test", rows, causal=metrics.history == "earlier", known=metrics.known)
    history = queries.histories.last(MOST_OF_HISTORY)
    lists = [model.lists[domain].of(rows)[0][:MOST_LISTED] for model in models]
    listed = [items[items >= 0].tolist() for items in lists]
    items = items_of(dataset, of_domain, [target, *history.items.tolist(), *(item for top in listed for item in top)])
    before = [
        items[item].shown(domain=dataset.domains[number])
        for item, number in zip(history.items[::-1].tolist(), history.domains[::-1].tolist(), strict=True)
    ]
    columns = [
        _list(model, domain, row, [items[item] for item in top], top.index(target) if target in top else None)
        for model, top in zip(models, listed, strict=True)
    ]
    return (
        f'<article class="example"><h4>User {text(dataset.users.key(int(users[0])))}</h4>'
        f"{_history(before, int(queries.histories.lengths[0]))}"
        f'<p class="note">Held out:</p><ul class="items">{items[target].shown(hit=True)}</ul>'
        f'<div class="lists">{"".join(columns)}</div></article>'
    )


def _history(shown: Sequence[Html], length: int) -> str:
    if not shown:
        return '<p class="note">No history: nothing is known of this user.</p>'
    of_all = f", the latest {len(shown)} of {length:,}" if length > len(shown) else ""
    return f'<p class="note">History, newest first{of_all}:</p><ul class="items">{"".join(shown)}</ul>'


def _list(model: ModelLists, domain: str, row: int, items: Sequence[Item], hit: int | None) -> str:
    """A model's list, and where the held-out item is if it is not in the part that is shown."""
    shown = "".join(item.shown(rank=index + 1, hit=index == hit) for index, item in enumerate(items))
    ranks = model.ranks[domain]
    rank = float(ranks.ranks[ranks.rows == row][0])
    position = f"at rank {int(rank) + 1:,}" if np.isfinite(rank) else "not among the items that were ranked"
    below = "" if hit is not None else note(f"Held out item: {position}.")
    return f"<section><h5>{text(model.label)}</h5><ol>{shown}</ol>{below}</section>"
