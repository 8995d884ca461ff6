"""The clicks of a block of users: how many visits, when, with which interest, and which items."""

from dataclasses import dataclass

import numpy as np

from adi.marketplace.sampler import ClickSampler
from adi.marketplace.settings import Marketplace
from adi.marketplace.users import UserBlock

CLICKS_STREAM = 2
"""Place of this module's random streams in `Marketplace.rng`."""

CLICKS_PER_VISIT = 4
"""A visit is a stretch of minutes with one interest; a user's clicks fall into visits of this size on average."""

SECOND = 1_000_000
HOUR = 3600 * SECOND
DAY = 24 * HOUR
VISIT_LENGTH = HOUR // 3


@dataclass(frozen=True)
class Clicks:
    """The clicks of a block of users, user by user. Shapes: all (N,); `time` in microseconds since the first day."""

    user: np.ndarray
    domain: np.ndarray
    item: np.ndarray
    time: np.ndarray


def draw_clicks(
    settings: Marketplace, sampler: ClickSampler, block: UserBlock, counts: np.ndarray, peak_hour: np.ndarray
) -> Clicks:
    """The log of a block of users, whose clicks in each domain are `counts`, (B, D).

    A user's clicks fall into visits. A visit has a day, one uniform number that picks the interest of its clicks
    whatever their domain, and a time of day around `peak_hour`, (G,), of that interest.
    """
    rng = settings.rng(CLICKS_STREAM, block.number)
    users, domains = counts.shape
    total = counts.sum(axis=1)
    visits = 1 + total // CLICKS_PER_VISIT
    visitor = np.repeat(np.arange(users), visits)
    pick = rng.random(len(visitor))
    mood = np.where(pick < block.main_share[visitor], block.groups[visitor, 0], block.groups[visitor, 1])
    hour = (peak_hour[mood] + 3.0 * rng.standard_normal(len(visitor))) * HOUR
    start = rng.integers(settings.days, size=len(visitor)) * DAY + hour.astype(np.int64) % (DAY - VISIT_LENGTH)

    pair = np.repeat(np.arange(users * domains), counts.ravel())
    user, domain = pair // domains, pair % domains
    visit = (np.cumsum(visits) - visits)[user] + (rng.random(len(pair)) * visits[user]).astype(np.int64)
    main = pick[visit] < sampler.main_probability(block.groups, block.main_share).ravel()[pair]
    group = np.where(main, block.groups[user, 0], block.groups[user, 1])
    time = start[visit] + rng.integers(VISIT_LENGTH, size=len(pair))
    item, kept = sampler.draw_new(user, domain, group, rng)
    return Clicks(user=user[kept] + block.first, domain=domain[kept], item=item[kept], time=time[kept])
