"""One arm of a live marketplace, day by day: traffic, retrieval, ranking, auction, clicks and payments."""

from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

import numpy as np

from adi.data.arrays import Array
from adi.marketplace.clock import DAY, FIRST_DAY, HOUR
from adi.online.arms import Arm, Moment, open_arm
from adi.online.auction import Slates, auction
from adi.online.exploration import Counterfactual, Shown, counterfactual, draw, matches, probabilities
from adi.online.logs import DayLog, Served
from adi.online.ranking import Ranked, RankingStage
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
        other: name and bundle (None for a bound) of another arm that is asked for its candidates at the requests of
            this one, for the log of an exploration.
    """

    def __init__(
        self,
        name: str,
        bundle: Path | None,
        world: World,
        online: Online,
        users: Array,
        share: float,
        other: tuple[str, Path | None] | None = None,
    ) -> None:
        self.name, self.world, self.online, self.share = name, world, online, share
        self.arm = self._open(name, bundle, self.rng(0))
        self.other_name = None if other is None else other[0]
        self.other = None if other is None else self._open(*other, self.rng(20_000))
        self.ranking = RankingStage(world, online)
        self.rate = rates(world, online.requests) * users[:, None]
        self.loyalty = np.ones(len(users))
        self.seen, self.recent = world.seen, dict[int, list[tuple[str, str]]]()
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
        self.arm = self._open(self.name, bundle, self.rng(0))
        self.recent = {}

    def _open(self, name: str, bundle: Path | None, rng: np.random.Generator) -> Arm:
        weight = self.online.bid_weights.get(name, 0.0)
        return open_arm(name, bundle, self.world, self.online.candidates, rng, weight)

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
        error = rng.standard_normal(items.shape)
        ranked = self.ranking.rank(moment, items, error)
        slates, shown = self._slates(moment, ranked, error, rng)
        attraction = np.take_along_axis(ranked.attraction, np.maximum(slates.columns, 0), axis=1)  # (B, S)
        weight = np.where(slates.columns >= 0, attraction, 0.0) * self.look[: attraction.shape[1]]
        slot = choice(weight, ranked.outside, 1.0 + self.online.planted.get(self.name, 0.0), rng)
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
        return Served(
            user=user, domain=domain, time=time, items=items, scores=scores, clicked=clicked, price=price, shown=shown
        )

    def _slates(
        self, moment: Moment, ranked: Ranked, error: Array, rng: np.random.Generator
    ) -> tuple[Slates, Shown | None]:
        """Fill the slots of B lists, by the auction, or at random if the arm explores: then with the draws."""
        online, temperature = self.online, self.online.explore
        if temperature is None:
            slates = auction(ranked.predicted, ranked.bid, ranked.eligible, slots=online.slots, reserve=ranked.reserve)
            return slates, None
        probability = probabilities(ranked, temperature)
        column, rows = draw(probability, rng), np.arange(len(probability))
        is_shown = column >= 0
        shown = Shown(
            item=np.where(is_shown, ranked.items[rows, column], -1),
            propensity=np.where(is_shown, probability[rows, column], 1.0),
            other=self._other(moment, column, ranked, probability, error, rng),
        )
        return Slates(column[:, None], ranked.bid[rows, column][:, None]), shown

    def _other(
        self,
        moment: Moment,
        column: Array,
        ranked: Ranked,
        probability: Array,
        error: Array,
        rng: np.random.Generator,
    ) -> Counterfactual | None:
        """The other arm at the requests, given the draws `column` (B,) of this one by `probability` (B, K)."""
        if self.other is None or self.other_name is None or self.online.explore is None:
            return None
        items, _ = self.other.candidates(moment)
        is_there, position = matches(ranked.items, items)
        errors = np.where(is_there, np.take_along_axis(error, position, axis=1), rng.standard_normal(items.shape))
        others = self.ranking.rank(moment, items, errors)
        return counterfactual(
            column,
            ranked,
            probability,
            others,
            probabilities(others, self.online.explore),
            (is_there, position),
            factor=1.0 + self.online.planted.get(self.other_name, 0.0),
        )

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
