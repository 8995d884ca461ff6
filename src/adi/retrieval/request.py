"""What a retriever is asked, and what it answers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Request:
    """A request for the best items of a domain's corpus.

    A known user brings features and history from the prepared dataset; `history` (oldest first, taken as behaviours in
    `domain`) replaces the latter, or describes a user who is not known. `recent` is what came after the history, as
    (item, domain), oldest first. `context` has the values of context features, as text; those not given are missing.
    `exclude_seen` leaves the items of the history out; by default that is done unless the data has repeats. `exclude`
    are items to leave out, too. `filter` is a condition on the items' attributes in the domain (docs/filters.md), as in
    "category = 'toys' and bid > 1". With a `bid_weight` above 0 the items are the best by score + weight · log bid in
    the domain, and that is their score.
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
    def kind(self) -> tuple[object, ...]:
        """What requests have in common that one search can answer."""
        return self.domain, self.k, self.filter, self.bid_weight


@dataclass(frozen=True)
class Retrieved:
    """One item of a top-K; scores compare items of the same request only."""

    item: str
    score: float


@dataclass(frozen=True)
class TopK:
    """The answer to a request: item `ids` and their `scores`, best first; `ignored` are given items that the data does
    not know."""

    domain: str
    ids: tuple[str, ...]
    scores: tuple[float, ...]
    ignored: tuple[str, ...] = ()

    @property
    def items(self) -> tuple[Retrieved, ...]:
        return tuple(map(Retrieved, self.ids, self.scores))
