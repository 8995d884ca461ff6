"""The cost of work, and running estimates of the time that it takes."""

from operator import add, sub
from typing import NamedTuple

from adi.serving.requests import RetrieveCall

FIRST_GUESSES = (5e-4, 1e-6, 1e-5, 1e-2, 5e-4)
"""Seconds of each amount of a `Cost` before anything was measured: those of 100,000 items on a core of 2020."""

WITHIN = 100.0
"""An estimate is at most this many times its first guess, and at least a part of it as small."""

MOST_SURPRISE = 4.0
"""The ratio of measured to expected time counts as no more than this, nor less than its inverse: a pause is no rule."""

PACE = 0.5
"""The part of a surprise that estimates follow at once."""


class Cost(NamedTuple):
    """Amounts of what takes time: top-K lists, items in them, ids to look up, filters to evaluate, other lookups.

    A body of 64 requests may take a hundred times as long as another one, of which a filter is the largest part: it is
    evaluated over all items of the domain.
    """

    lists: int = 0
    items: int = 0
    ids: int = 0
    filters: int = 0
    lookups: int = 0

    def plus(self, other: "Cost") -> "Cost":
        return Cost(*map(add, self, other))

    def minus(self, other: "Cost") -> "Cost":
        return Cost(*map(sub, self, other))


LOOKUP = Cost(lookups=1)


def cost_of(call: RetrieveCall, num_domains: int) -> Cost:
    """The cost of a call; `num_domains` are those of a request that names none."""
    lists = items = ids = 0
    filters: dict[tuple[str, tuple[str, ...]], int] = {}  # each is evaluated once in a domain
    for request in call.requests:
        domains = num_domains if request.domains is None else len(request.domains)
        lists += domains
        items += domains * request.k
        ids += domains * (len(request.history or ()) + len(request.exclude))
        if request.filter is not None:
            filters[request.filter, tuple(request.domains or ())] = domains
    return Cost(lists, items, ids, sum(filters.values()))


class WorkTimes:
    """Running estimates of the seconds that each amount of a `Cost` takes on this machine, for this bundle."""

    def __init__(self) -> None:
        self._rates = list(FIRST_GUESSES)

    def seconds(self, cost: Cost) -> float:
        """The time that work of a cost is expected to take in a worker."""
        return sum(rate * amount for rate, amount in zip(self._rates, cost, strict=True))

    def learn(self, cost: Cost, seconds: float) -> None:
        """Take into account that work of a cost took so long: estimates change as far as they had a part in it."""
        expected = self.seconds(cost)
        surprise = min(max(seconds / expected, 1 / MOST_SURPRISE), MOST_SURPRISE)
        for number, (amount, first) in enumerate(zip(cost, FIRST_GUESSES, strict=True)):
            share = self._rates[number] * amount / expected
            rate = self._rates[number] * surprise ** (PACE * share)
            self._rates[number] = min(max(rate, first / WITHIN), first * WITHIN)
