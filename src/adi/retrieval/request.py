"""Requests for a top k, and their results."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pyarrow as pa

from adi.frames import html_of

SHOWN = 3
"""The number of items that the representation of a `TopK` shows."""


@dataclass(frozen=True)
class Request:
    """A request for the top `k` items of a domain's corpus.

    Args:
        domain: whose corpus is searched.
        user: a known user has features and a history in the prepared dataset.
        history: item ids, oldest first, taken as behaviours in `domain`; replaces the history of a known user, or
            describes a new one.
        recent: what happened after the history, as (item, domain), oldest first.
        context: values of context features, as text; those left out are missing.
        k: the number of items.
        exclude_seen: leave out the items of the history; None: unless the data has repeats.
        exclude: item ids to leave out as well.
        filter: a condition on the items' attributes in the domain (docs/filters.md), such as
            "category = 'toys' and bid > 1".
        bid_weight: above 0, items are ranked and scored by score + weight · log bid in the domain.
    """

    domain: str
    user: str | None = None
    history: Sequence[str] | None = None
    recent: Sequence[tuple[str, str]] = ()
    context: Mapping[str, str] = field(default_factory=dict)
    k: int = 10
    exclude_seen: bool | None = None
    exclude: Sequence[str] = ()
    filter: str | None = None
    bid_weight: float = 0.0

    @property
    def batch_key(self) -> tuple[object, ...]:
        """The arguments that are equal in all requests answered by one search."""
        return self.domain, self.k, self.filter, self.bid_weight


@dataclass(frozen=True)
class Retrieved:
    """One item of a top k. Scores are comparable within a request only."""

    item: str
    score: float


@dataclass(frozen=True, repr=False)
class TopK:
    """The result of a request: item `ids` and their `scores`, best first. `ignored` lists unknown item ids it gave.

    From a bundle with trends, `parts` divides each score into ``taste``, ``trend``, ``co_clicks`` and ``bid``; it is
    None while the counters are away, and scores are then by taste alone. From one with a blend, it divides it into
    ``taste``, ``neighbours`` and ``bid``.
    """

    domain: str
    ids: tuple[str, ...]
    scores: tuple[float, ...]
    ignored: tuple[str, ...] = ()
    parts: Mapping[str, tuple[float, ...]] | None = None

    @property
    def items(self) -> tuple[Retrieved, ...]:
        return tuple(map(Retrieved, self.ids, self.scores))

    def to_frame(self) -> pa.Table:
        """Return an Arrow table with the columns rank (from 1), item and score (`adi.frames`)."""
        columns = {
            "rank": pa.array(range(1, len(self.ids) + 1), pa.int32()),
            "item": pa.array(self.ids, pa.string()),
            "score": pa.array(self.scores, pa.float32()),
        }
        return pa.table(columns)

    def __repr__(self) -> str:
        shown = [f"{item} {score:.4g}" for item, score in zip(self.ids[:SHOWN], self.scores[:SHOWN], strict=True)]
        more = ["…"] if len(self.ids) > SHOWN else []
        return f"<TopK of {self.domain}, {len(self.ids)} items{': ' if shown else ''}{', '.join([*shown, *more])}>"

    def _repr_html_(self) -> str:
        """Return a table for notebooks."""
        return html_of(self.to_frame())
