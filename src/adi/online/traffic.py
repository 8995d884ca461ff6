"""The traffic of a day: who comes to which domain, and when.

Users come at rates in proportion to their activity in a domain, by the rhythm of a day (`adi.marketplace.clock`). A
user who found something comes more often from the next day on, and one who did not comes less often: so retention
depends on what was shown.
"""

from dataclasses import dataclass

import numpy as np

from adi.data.arrays import Array
from adi.marketplace.clock import time_of_day
from adi.online.world import World

AFTER_A_CLICK, AFTER_NONE = 1.2, 0.97
LEAST_LOYALTY, MOST_LOYALTY = 0.5, 2.0
"""Factors of a user's rate after a day with and without a click, and the bounds of their product."""


@dataclass(frozen=True)
class Requests:
    """The requests of a day in the order of time, (N,) each; `time` is in microseconds since midnight."""

    user: Array
    domain: Array
    time: Array


def rates(world: World, requests: int) -> Array:
    """The mean requests of each user in each domain on a day (U, D), which sum to `requests`."""
    within = world.activity / world.activity.sum(axis=0)
    return np.asarray(requests * world.settings.domain_shares * within)


def draw_requests(rng: np.random.Generator, rate: Array) -> Requests:
    """Draw the requests of a day from the rates (U, D)."""
    counts = rng.poisson(rate)
    cell = np.repeat(np.arange(counts.size), counts.ravel())
    time = time_of_day(rng.random(len(cell)))
    order = np.argsort(time, kind="stable")
    return Requests(user=cell[order] // rate.shape[1], domain=cell[order] % rate.shape[1], time=time[order])


def updated_loyalty(loyalty: Array, came: Array, clicked: Array) -> Array:
    """The factors of the users' rates (U,) after a day on which some `came` (n,) and some `clicked` (m,)."""
    loyalty = loyalty.copy()
    loyalty[came] *= AFTER_NONE
    loyalty[clicked] *= AFTER_A_CLICK / AFTER_NONE
    return np.clip(loyalty, LEAST_LOYALTY, MOST_LOYALTY)
