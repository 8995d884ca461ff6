"""The audiences of items in memory: the decayed tastes of their clickers, of a log that goes on."""

from collections.abc import Callable, Sequence
from typing import NamedTuple, Self

import numpy as np

from adi.columns import columns_of
from adi.data.arrays import Array
from adi.data.audiences import CLICKS_AT_ONCE, AudienceLog, audiences_of, segments_of

HEARD_FOR = 24
"""Longest half-lives after which a click is left out: it weighs less than the rounding of one click."""


class Clicker(NamedTuple):
    """The user of a click, as a model is to see them.

    Attributes:
        user: the id.
        domain: of the click.
        last: the user's last items before the click and their domains, oldest first.
        context: the codes of the click's context features, in the order of the manifest; empty: all are missing.
    """

    user: str
    domain: int
    last: Sequence[tuple[int, int]]
    context: tuple[int, ...] = ()


Tastes = Callable[[Sequence[Clicker]], Array]
"""The tastes of clickers (n, dim)."""


class AudienceSums(NamedTuple):
    """Decayed sums of tastes and clickers by segment: an item, or with audiences by domain a domain and an item.

    Attributes:
        segments: ascending (n,).
        sums: (n, K, dim + 1) float32.
        times: the moment of each segment's sums (n,).
    """

    segments: Array
    sums: Array
    times: Array


class LiveAudiences:
    """The audiences that `adi.data.audiences.AudienceLog` has of the same clicks. Sums decay when read or added to.

    Args:
        half_lives: (K,).
        dim: width of a taste.
        by_domain: whether an item has an audience for each domain, from the clicks in it.
        tastes: encodes clickers; None for audiences to which no clicks are added.
    """

    def __init__(
        self, half_lives: Sequence[float], num_items: int, *, dim: int, by_domain: bool, tastes: Tastes | None = None
    ) -> None:
        self.half_lives, self.num_items = np.asarray(half_lives, dtype=np.float64), num_items
        self.dim, self.by_domain, self.tastes = dim, by_domain, tastes
        none = np.empty((0, len(half_lives), dim + 1), dtype=np.float32)
        self.sums = AudienceSums(np.empty(0, dtype=np.int64), none, np.empty(0))

    @classmethod
    def of_logs(cls, logs: Sequence[AudienceLog], items: Array) -> Self:
        """The audiences of `items` (n,), ascending, at the end of a log, by the audiences of each domain's model.

        All domains have the same, unless audiences are by domain.
        """
        clicks, by_domain = logs[0].clicks, logs[0].by_domain
        (known,), (rank,) = clicks.known_at(np.array([clicks.end]))
        parts = []
        for domain, log in enumerate(logs if by_domain else logs[:1]):
            segments = segments_of(domain, items, clicks.num_items, by_domain=by_domain)
            sums = log.sums.at(segments, np.full(len(items), rank), np.full(len(items), known))
            clicked = sums[:, -1, -1] > 0
            parts.append(AudienceSums(segments[clicked], sums[clicked], np.full(np.count_nonzero(clicked), known)))
        audiences = cls(clicks.info.audience, clicks.num_items, dim=parts[0].sums.shape[2] - 1, by_domain=by_domain)
        audiences.sums = AudienceSums(*(np.concatenate(part) for part in zip(*parts, strict=True)))
        return audiences

    def at(self, domain: int, items: Array, known: float) -> Array:
        """The audiences of `items` (m,) in a domain, of the clicks before `known` (m, K, dim); see `AudienceLog.at`."""
        rows = columns_of(segments_of(domain, items, self.num_items, by_domain=self.by_domain), self.sums.segments)
        (held,) = np.nonzero(rows >= 0)
        sums = np.zeros((len(items), *self.sums.sums.shape[1:]), dtype=np.float32)
        sums[held] = self.sums.sums[rows[held]] * self._decay(known - self.sums.times[rows[held]])
        return audiences_of(sums)

    def add(self, items: Array, times: Array, clickers: Sequence[Clicker], known: float, kept: Array) -> None:
        """Add clicks before `known` on items (n,) at `times` (n,), and forget all items but the `kept`, ascending."""
        assert self.tastes is not None
        recent = np.flatnonzero(known - times <= HEARD_FOR * self.half_lives.max())
        items, times, clickers = items[recent], times[recent], [clickers[number] for number in recent.tolist()]
        domains = np.array([clicker.domain for clicker in clickers], dtype=np.int64)
        segments = segments_of(domains, items, self.num_items, by_domain=self.by_domain)
        of_kept = columns_of(self.sums.segments % self.num_items, kept) >= 0
        old = AudienceSums(*(part[of_kept] for part in self.sums))
        held = np.union1d(old.segments, segments)
        sums, at = np.zeros((len(held), *old.sums.shape[1:]), dtype=np.float32), np.full(len(held), known)
        rows = np.searchsorted(held, old.segments)
        sums[rows], at[rows] = old.sums, old.times
        changed, row_of = np.unique(np.searchsorted(held, segments), return_inverse=True)
        added = np.zeros((len(changed), *old.sums.shape[1:]), dtype=np.float64)
        for first in range(0, len(clickers), CLICKS_AT_ONCE):
            block = slice(first, first + CLICKS_AT_ONCE)
            tastes = self.tastes(clickers[block])
            values = np.concatenate([tastes, np.ones((len(tastes), 1))], axis=1)
            np.add.at(added, row_of[block], values[:, None] * self._decay(known - times[block]))
        sums[changed] = sums[changed] * self._decay(known - at[changed]) + added
        at[changed] = known
        self.sums = AudienceSums(held, sums, at)

    def _decay(self, ages: Array) -> Array:
        """The factors by which sums decay in some time (n,): (n, K, 1)."""
        decay: Array = np.exp2(-ages[:, None] / self.half_lives)[:, :, None]
        return decay
