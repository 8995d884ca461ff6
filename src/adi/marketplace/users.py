"""The users of a simulated marketplace, drawn in blocks so that any number of them fits in memory."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from adi.marketplace.settings import Marketplace, draw_memberships

USERS_STREAM = 1
"""This module's random streams in `Marketplace.rng`."""

ROWS_PER_BLOCK = 250_000
"""Interactions of a block of users on average, and so of a row group of the log."""


@dataclass(frozen=True)
class UserBlock:
    """The users from number `first` to `first + B - 1`, counted from 0.

    Shapes:
        groups: (B, 2) int, the two groups whose interests a user has. main_share: (B,), the share of the first.
        activity: (B, D), a user's clicks in a domain relative to other users there; 0 where not active.
    """

    number: int
    first: int
    groups: np.ndarray
    main_share: np.ndarray
    activity: np.ndarray


def draw_users(settings: Marketplace) -> Iterator[UserBlock]:
    """Draw all users in blocks. Each block has its own random stream: drawing twice gives the same users."""
    size = max(1, ROWS_PER_BLOCK * settings.users // settings.interactions)
    for number, first in enumerate(range(0, settings.users, size)):
        rng = settings.rng(USERS_STREAM, number)
        count = min(size, settings.users - first)
        active = draw_memberships(
            rng, count, settings.domain_shares, overlap=settings.user_overlap, spread=0.25, evenness=0.5
        )
        # Log-normal, clipped so that no user has thousands of times the clicks of another.
        taste = 0.8 * rng.standard_normal((count, 1)) + 0.4 * rng.standard_normal(active.shape)
        yield UserBlock(
            number=number,
            first=first,
            groups=rng.integers(settings.groups, size=(count, 2)),
            main_share=rng.uniform(0.5, 0.9, count),
            activity=np.where(active, np.exp(np.clip(taste, -2.0, 2.0)), 0.0),
        )


class ClickCounts:
    """Distributes each domain's interactions to its active users: one each, the rest in proportion to activity.

    The counts of a domain sum to `sizes` exactly, although users come in blocks: a user's extra clicks are the steps of
    the rounded cumulative activity (systematic sampling).

    Args:
        sizes: (D,), the interactions of each domain.
        active_users: (D,), the number of active users of each domain.
        activity: (D,), the sum of their activity.
    """

    def __init__(self, sizes: np.ndarray, active_users: np.ndarray, activity: np.ndarray) -> None:
        self._rate = (sizes - active_users) / np.maximum(activity, 1e-300)
        self._activity = np.zeros(len(sizes))  # of the users so far

    def of(self, block: UserBlock) -> np.ndarray:
        """Clicks of each user of the next block in each domain, (B, D) int64."""
        until = self._activity + np.cumsum(block.activity, axis=0)
        before = np.vstack([self._activity, until[:-1]])
        self._activity = until[-1]
        # + 0.5, so that rounding errors of the sums cannot move the last step
        extra = np.floor(until * self._rate + 0.5) - np.floor(before * self._rate + 0.5)
        return np.asarray((block.activity > 0) + extra, dtype=np.int64)
