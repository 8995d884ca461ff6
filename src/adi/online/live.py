"""One arm of a live marketplace, day by day: traffic, retrieval, ranking, auction, clicks and payments."""

from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

import numpy as np

from adi.data.arrays import Array
from adi.marketplace.clock import DAY, FIRST_DAY, HOUR
from adi.online.arms import Arm, Moment, open_arm
from adi.online.auction import Slates, auction
from adi.online.logs import DayLog, Served
from adi.online.settings import Online
from adi.online.traffic import draw_requests, rates, updated_loyalty
from adi.online.world import REQUESTS_STREAM, World

REQUESTS_AT_ONCE = 256
"""Requests that are answered together. Budgets and clicks count from the next batch on."""

MOST_RECENT = 50
"""Clicks since the start that an arm is told of a user: the last ones."""


@dataclass(kw_only=True)
class ArmCounts:
    """The sums of an arm over a simulation.

    `empty` lists had no item to show. `exhausted` is the share of advertiser-days whose budget ran out. `seconds` are
    those of the arm's process from its first request on, `cpu_seconds` those that it had a core.
    """

    requests: int = 0
    empty: int = 0
    clicks: int = 0
    revenue: float = 0.0
    exhausted: float = 0.0
    seconds: float = 0.0
    cpu_seconds: float = 0.0


class LiveArm:
    """The state of one arm's market: its users, its shares of the budgets, and what its users have clicked.

    Args:
        name: of the arm. users: (U,) bool, those of the arm.
        share: the arm's share of the users, and so of each budget.
    """

    def __init__(
        self, name: str, bundle: Path | None, world: World, online: Online, users: Array, share: float
    ) -> None:
        self.name, self.world, self.online, self.share = name, world, online, share
        self.arm = self._open(bundle)
        self.rate = rates(world, online.requests) * users[:, None]
        self.loyalty = np.ones(len(users))
        self.seen, self.recent = world.seen, dict[int, list[tuple[str, str]]]()
        self.reserve = online.reserve * np.array([np.median(bid[bid > 0.0]) for bid in world.bid])
        self.look = 1.0 / np.log2(1.0 + np.arange(1, online.slots + 1))
        self.counts = ArmCounts()

    def run_day(self, day: int, log: DayLog) -> None:
        """Answer the requests of a day, from 0, and log them."""
        rng = self.rng(1 + day)
        requests = draw_requests(rng, self.rate * self.loyalty[:, None])
        start = FIRST_DAY + (self.world.settings.days + day) * DAY
        budget = self.share * self.world.budget
        clicked = []
        for first in range(0, len(requests.user), REQUESTS_AT_ONCE):
            part = slice(first, first + REQUESTS_AT_ONCE)
            served = self._serve(
                requests.user[part],
                requests.domain[part],
                start + requests.time[part],
                budget,
                self.world.on_line[day],
                rng,
            )
            log.add(served)
            clicked.append(served.user[served.clicked >= 0])
        if clicked:
            self.loyalty = updated_loyalty(self.loyalty, np.unique(requests.user), np.unique(np.concatenate(clicked)))
        self.counts.exhausted += float((budget <= 0.0).mean()) / self.online.days

    def renew(self, bundle: Path) -> None:
        """Serve another bundle, whose histories have all clicks so far."""
        self.arm = self._open(bundle)
        self.recent = {}

    def _open(self, bundle: Path | None) -> Arm:
        weight = self.online.bid_weights.get(self.name, 0.0)
        return open_arm(self.name, bundle, self.world, self.online.candidates, self.rng(0), weight)

    def _serve(
        self, user: Array, domain: Array, time: Array, budget: Array, on_line: Array, rng: np.random.Generator
    ) -> Served:
        """Answer B requests. Budgets are checked before them and charged after them: `budget` (A,) is changed."""
        world = self.world
        moment = Moment(
            user=user,
            domain=domain,
            hour=time // HOUR % 24,
            recent=self.recent,
            is_live=on_line & (budget > 0.0)[world.advertiser],
            seen=self.seen,
        )
        items, scores = self.arm.candidates(moment)  # (B, K)
        slates, attraction, outside = self._slates(moment, items, rng)
        weight = attraction * self.look[: attraction.shape[1]]
        slot = choice(weight, outside, 1.0 + self.online.planted.get(self.name, 0.0), rng)
        rows = np.flatnonzero(slot >= 0)
        # A user who comes twice in a batch is not known to have clicked an item already; the second click is none.
        keys = user[rows] * world.settings.items + items[rows, slates.columns[rows, slot[rows]]]
        rows = rows[np.unique(keys, return_index=True)[1]]
        clicked, price = np.full(len(user), -1), np.zeros(len(user))
        clicked[rows] = items[rows, slates.columns[rows, slot[rows]]]
        price[rows] = slates.price[rows, slot[rows]]
        self._credit(user[rows], domain[rows], clicked[rows])
        np.subtract.at(budget, world.advertiser[clicked[rows]], price[rows])
        self.counts.requests += len(user)
        self.counts.empty += int((slates.columns < 0).all(axis=1).sum())
        self.counts.clicks += len(rows)
        self.counts.revenue += float(price.sum())
        return Served(user=user, domain=domain, time=time, items=items, scores=scores, clicked=clicked, price=price)

    def _slates(self, moment: Moment, items: Array, rng: np.random.Generator) -> tuple[Slates, Array, Array]:
        """Rank candidates `items` (B, K) and fill the slots.

        Returns the slates, the attraction of the shown items (B, S), 0 in an empty slot, and that of doing something
        else (B,).
        """
        world, candidate = self.world, np.maximum(items, 0)
        attraction = world.attractions(moment.domain, moment.user, candidate)
        eligible = (items >= 0) & (attraction > 0.0) & moment.is_live[candidate] & ~moment.has_seen(candidate)
        outside = self.online.outside * world.masses(moment.domain, moment.user)
        noisy = attraction * np.exp(self.online.ranking_noise * rng.standard_normal(items.shape))
        slates = auction(
            np.maximum(noisy / (outside[:, None] + noisy), 1e-12),
            world.bid[moment.domain[:, None], candidate],
            eligible,
            slots=self.online.slots,
            reserve=self.reserve[moment.domain],
        )
        shown = np.take_along_axis(attraction, np.maximum(slates.columns, 0), axis=1)
        return slates, np.where(slates.columns >= 0, shown, 0.0), outside

    def _credit(self, user: Array, domain: Array, item: Array) -> None:
        """Remember clicks, which are the users' recent events from the next requests on."""
        keys = np.unique(user * self.world.settings.items + item)
        self.seen = np.insert(self.seen, np.searchsorted(self.seen, keys), keys)
        names = self.world.settings.domain_names
        for who, where, what in zip(user.tolist(), domain.tolist(), item.tolist(), strict=True):
            events = self.recent.setdefault(who, [])
            events.append((str(what + 1), names[where]))
            del events[:-MOST_RECENT]

    def rng(self, number: int) -> np.random.Generator:
        """A random generator of this arm, the same in whichever process and order the arms are simulated."""
        return self.world.settings.rng(REQUESTS_STREAM, self.online.seed, crc32(self.name.encode()), number)


def choice(weight: Array, outside: Array, factor: float, rng: np.random.Generator) -> Array:
    """The clicked slot of each list (B,), or -1.

    Args:
        weight: weights of the slots (B, S). outside: weight of doing something else (B,).
        factor: multiplies the probability of a click, up to 1.
    """
    total = weight.sum(axis=1)
    probability = np.minimum(1.0, factor * total / (total + outside))
    draw = rng.random(len(weight))
    clicks = draw < probability
    until = np.cumsum(weight, axis=1)
    key = np.where(clicks, draw / np.maximum(probability, 1e-300), 0.0) * total
    return np.where(clicks, (until > key[:, None]).argmax(axis=1), -1)
