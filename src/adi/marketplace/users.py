"""The users of a simulated marketplace, drawn block by block so that any number of them fits in memory."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from adi.marketplace.settings import Marketplace, draw_memberships

USERS_STREAM = 1
"""Place of this module's random streams in `Marketplace.rng`."""

ROWS_PER_BLOCK = 250_000
"""Interactions that a block of users has on average; a row group of the log."""


@dataclass(frozen=True)
class UserBlock:
    """Users `first` to `first + B - 1` (counted from 0).

    Shapes:
        groups: (B, 2) int, the groups whose interests the user has; main_share: (B,), how much of the first.
        activity: (B, D), how much the user clicks in a domain against others there; 0 where not active.
    """

    number: int
    first: int
    groups: np.ndarray
    main_share: np.ndarray
    activity: np.ndarray


def draw_users(settings: Marketplace) -> Iterator[UserBlock]:
    """All users in blocks. Each block has a random stream of its own: drawing twice gives the same users."""
    size = max(1, ROWS_PER_BLOCK * settings.users // settings.interactions)
    for number, first in enumerate(range(0, settings.users, size)):
        rng = settings.rng(USERS_STREAM, number)
        count = min(size, settings.users - first)
        active = draw_memberships(
            rng, count, settings.domain_shares, overlap=settings.user_overlap, spread=0.25, evenness=0.5
        )
        # Log-normal, cut so that no user has thousands of times the clicks of another
        taste = 0.8 * rng.standard_normal((count, 1)) + 0.4 * rng.standard_normal(active.shape)
        yield UserBlock(
            number=number,
            first=first,
            groups=rng.integers(settings.groups, size=(count, 2)),
            main_share=rng.uniform(0.5, 0.9, count),
            activity=np.where(active, np.exp(np.clip(taste, -2.0, 2.0)), 0.0),
        )


class ClickCounts:
    """Deals each domain's interactions to its active users: one each, the rest in proportion to activity.

    The counts of a domain sum to `sizes` exactly, though users come in blocks: a user's extra clicks are the steps of
    the rounded cumulative activity (systematic sampling).
    """

    def __init__(self, sizes: np.ndarray, active_users: np.ndarray, activity: np.ndarray) -> None:
        """All (D,): the domains' interactions, their active users, and the sum of those users' activity."""
        self._rate = (sizes - active_users) / np.maximum(activity, 1e-300)
        self._dealt = np.zeros(len(sizes))

    def of(self, block: UserBlock) -> np.ndarray:
        """Clicks of each user of the next block in each domain; (B, D) int64."""
        until = self._dealt + np.cumsum(block.activity, axis=0)
        since = np.vstack([self._dealt, until[:-1]])
        self._dealt = until[-1]
        # + 0.5, so that rounding errors of the sums cannot move the last step
        extra = np.floor(until * self._rate + 0.5) - np.floor(since * self._rate + 0.5)
        return np.asarray((block.activity > 0) + extra, dtype=np.int64)
