"""The clicks of a block of users: their visits, times, interests and items."""

from dataclasses import dataclass

import numpy as np

from adi.marketplace.clock import DAY, FIRST_PEAK, HOUR, LAST_PEAK, time_of_day
from adi.marketplace.sampler import ClickSampler
from adi.marketplace.settings import Marketplace
from adi.marketplace.users import UserBlock

CLICKS_STREAM = 2
"""This module's random streams in `Marketplace.rng`."""

CLICKS_PER_VISIT = 4
"""Average clicks of a visit, a stretch of minutes with one interest."""

VISIT_LENGTH = HOUR // 3
LAST_START = DAY - VISIT_LENGTH
"""The time of day by which visits have started, so that they end on the same day."""

HOURS_SPREAD = 3.0
"""Standard deviation of the time of day of a group's visits, in hours."""


@dataclass(frozen=True)
class Clicks:
    """The clicks of a block of users, sorted by user, (N,) each; `time` is in microseconds since the first day."""

    user: np.ndarray
    domain: np.ndarray
    item: np.ndarray
    time: np.ndarray


def draw_clicks(
    settings: Marketplace, sampler: ClickSampler, block: UserBlock, counts: np.ndarray, peak_hour: np.ndarray
) -> Clicks:
    """Draw the log of a block of users from their numbers of clicks in each domain, `counts` (B, D).

    A user's clicks fall into visits. A visit has a day, one uniform number that selects the interest of its clicks in
    every domain, and a time of day around the `peak_hour` (G,) of that interest.
    """
    rng = settings.rng(CLICKS_STREAM, block.number)
    users, domains = counts.shape
    total = counts.sum(axis=1)
    visits = 1 + total // CLICKS_PER_VISIT
    visitor = np.repeat(np.arange(users), visits)
    selector = rng.random(len(visitor))
    visit_group = np.where(selector < block.main_share[visitor], block.groups[visitor, 0], block.groups[visitor, 1])
    hour = peak_hour[visit_group] + HOURS_SPREAD * rng.standard_normal(len(visitor))
    day = rng.integers(settings.days, size=len(visitor))
    start = day * DAY + (_by_the_rhythm(hour) if settings.trends > 0 else (hour * HOUR).astype(np.int64) % LAST_START)

    pair = np.repeat(np.arange(users * domains), counts.ravel())
    user, domain = pair // domains, pair % domains
    visit = (np.cumsum(visits) - visits)[user] + (rng.random(len(pair)) * visits[user]).astype(np.int64)
    time = start[visit] + rng.integers(VISIT_LENGTH, size=len(pair))
    step = sampler.attention.step(time)
    main = selector[visit] < sampler.main_probability(block.groups[user], block.main_share[user], domain, step)
    group = np.where(main, block.groups[user, 0], block.groups[user, 1])
    item, kept = sampler.draw_new(user, domain, group, step, rng)
    return Clicks(user=user[kept] + block.first, domain=domain[kept], item=item[kept], time=time[kept])


def _by_the_rhythm(hour: np.ndarray) -> np.ndarray:
    """The start of visits with the rates of `adi.marketplace.clock`; visits of a group stay near each other.

    Around uniform peaks, `hour` is uniform on the circle from the first to the last of them. Each hour becomes the time
    of day by which this share of a day's visits has happened.
    """
    share = (hour - FIRST_PEAK) / (LAST_PEAK - FIRST_PEAK) % 1.0
    return np.asarray(np.minimum(time_of_day(share), LAST_START))
