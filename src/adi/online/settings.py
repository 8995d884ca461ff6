"""The settings of a marketplace that is live, validated at construction."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from adi.errors import ArgumentError


@dataclass(frozen=True, kw_only=True)
class Online:
    """The length and the rules of a live marketplace; `adi.online.world` and `adi.online.auction` explain them.

    Args:
        days: days to simulate.
        requests: requests of all arms together on a day, on average.
        seed: the same settings, bundles and seed give the same logs.
        candidates: items that an arm retrieves for a request.
        slots: items that a list shows.
        reserve: least price of a click, as a share of the domain's median bid.
        outside: attraction of not clicking, as a multiple of that of all the domain's items together.
        ranking_noise: standard deviation of the error of the ranking stage's log attraction.
        budgets: daily budgets as a multiple of what advertisers are expected to spend; some run out.
        away: share of the items that are off line at any moment; `absence` is the mean number of days.
        planted: relative uplift of the probability of a click by arm, which is added to the truth.
        bid_weights: bid weight of an arm's requests, as a multiple of the weight at which bids spread the scores of a
            domain as widely as the model does: the middle one of its bundle's ``weights``. Other arms ignore bids.
        explore: temperature of a random choice of the shown item (`adi.online.exploration`); None: the best are shown.
        others: by arm, the name of another arm whose probabilities are written into the arm's log of shown items.
    """

    days: int = 14
    requests: int = 20_000
    seed: int = 0
    candidates: int = 50
    slots: int = 4
    reserve: float = 0.1
    outside: float = 0.5
    ranking_noise: float = 0.3
    budgets: float = 2.0
    away: float = 0.05
    absence: float = 3.0
    planted: Mapping[str, float] = field(default_factory=dict)
    bid_weights: Mapping[str, float] = field(default_factory=dict)
    explore: float | None = None
    others: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        ranges: dict[str, tuple[float, float]] = {
            "days": (1, 365),
            "requests": (1, 10_000_000),
            "seed": (0, 2**40),
            "candidates": (1, 1000),
            "slots": (1, 100),
            "reserve": (0.0, 1.0),
            "outside": (1e-6, 1e6),
            "ranking_noise": (0.0, 10.0),
            "budgets": (1e-6, 1e6),
            "away": (0.0, 0.9),
            "absence": (1.0, 365.0),
        }
        for name, (low, high) in ranges.items():
            value = getattr(self, name)
            if not math.isfinite(value) or not low <= value <= high:
                raise ArgumentError(name, f"{value}; give a number from {low:g} to {high:g}.")
        if self.slots > self.candidates:
            raise ArgumentError("slots", f"{self.slots} are more than the {self.candidates} candidates.")
        for arm, uplift in self.planted.items():
            if not -1.0 < uplift <= 10.0:
                raise ArgumentError("planted", f"{arm}={uplift}; give an uplift above -1, such as 0.05.")
        for arm, weight in self.bid_weights.items():
            if not 0.0 <= weight <= 1000.0:
                raise ArgumentError("bid_weights", f"{arm}={weight}; give a multiple from 0 to 1000, such as 0.5.")
        self._check_exploration()

    def _check_exploration(self) -> None:
        if self.explore is None:
            if self.others:
                raise ArgumentError("others", "without --explore nothing is drawn at random. Give its temperature.")
            return
        if not 0.01 <= self.explore <= 100.0:
            raise ArgumentError("explore", f"{self.explore}; give a temperature from 0.01 to 100, such as 1.")
        if self.slots != 1:
            raise ArgumentError(
                "explore",
                f"lists of {self.slots} slots: the probability of a draw is known for a list of a single item. "
                "Give --slots 1.",
            )
        if same := [arm for arm, other in self.others.items() if arm == other]:
            raise ArgumentError("others", f"{same[0]}={same[0]}: name another arm.")
