"""Times of pieces of work, taken in turns so that a noisy machine is as noisy to each."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter

import numpy as np


@dataclass(frozen=True)
class Times:
    """Seconds of each call, by round (rounds, calls)."""

    seconds: Sequence[Sequence[float]]

    def percentile_ms(self, q: float) -> float:
        """The median over the rounds of the q-th percentile of a round's calls, in milliseconds."""
        return float(np.median([np.percentile(own, q) for own in self.seconds])) * 1e3

    def spread_ms(self, q: float) -> tuple[float, float]:
        """The least and the most of that percentile over the rounds."""
        values = [float(np.percentile(own, q)) * 1e3 for own in self.seconds]
        return min(values), max(values)

    def per_second(self, of_a_call: int = 1) -> float:
        """The median over the rounds of what was done in a second, where a call does so many."""
        return float(np.median(self._rates(of_a_call)))

    def spread_per_second(self, of_a_call: int = 1) -> tuple[float, float]:
        """The least and the most of what was done in a second over the rounds."""
        rates = self._rates(of_a_call)
        return min(rates), max(rates)

    def _rates(self, of_a_call: int) -> list[float]:
        return [of_a_call * len(own) / sum(own) for own in self.seconds]


def in_turns(works: Mapping[str, Callable[[int], object]], *, rounds: int, calls: int) -> dict[str, Times]:
    """Do `calls` of each work, then again, `rounds` times; a work is told the number of its call, from 0 in all."""
    found: dict[str, list[list[float]]] = {name: [] for name in works}
    for turn in range(rounds):
        for name, work in works.items():
            own = []
            for call in range(turn * calls, (turn + 1) * calls):
                started = perf_counter()
                work(call)
                own.append(perf_counter() - started)
            found[name].append(own)
    return {name: Times(own) for name, own in found.items()}
