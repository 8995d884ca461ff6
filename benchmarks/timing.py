"""Timing of tasks that take turns, so that a noisy machine disturbs each of them alike."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from time import perf_counter

import numpy as np
import torch

Task = Callable[[int], object]
"""Work to be timed; its argument is the number of the call, from 0 up over all rounds."""


@dataclass(frozen=True)
class Times:
    """Seconds of each call, by round (rounds, calls)."""

    seconds: Sequence[Sequence[float]]

    def percentile_ms(self, q: float) -> float:
        """The q-th percentile of a round's calls in milliseconds, as the median over the rounds."""
        return float(np.median(self._percentiles_ms(q)))

    def spread_ms(self, q: float) -> tuple[float, float]:
        """The least and the greatest of that percentile over the rounds."""
        percentiles = self._percentiles_ms(q)
        return min(percentiles), max(percentiles)

    def per_second(self, units: int = 1) -> float:
        """Units of work per second where each call does `units` of them, as the median over the rounds."""
        return float(np.median(self._rates(units)))

    def spread_per_second(self, units: int = 1) -> tuple[float, float]:
        """The least and the greatest of that rate over the rounds."""
        rates = self._rates(units)
        return min(rates), max(rates)

    def _percentiles_ms(self, q: float) -> list[float]:
        return [float(np.percentile(calls, q)) * 1e3 for calls in self.seconds]

    def _rates(self, units: int) -> list[float]:
        return [units * len(calls) / sum(calls) for calls in self.seconds]


def in_turns(tasks: Mapping[str, Task], *, rounds: int, calls: int) -> dict[str, Times]:
    """Time `rounds` rounds, in each of which every task is called `calls` times before the next one is."""
    seconds: dict[str, list[list[float]]] = {name: [] for name in tasks}
    for first_call in range(0, rounds * calls, calls):
        for name, task in tasks.items():
            round_seconds = []
            for call in range(first_call, first_call + calls):
                start = perf_counter()
                task(call)
                round_seconds.append(perf_counter() - start)
            seconds[name].append(round_seconds)
    return {name: Times(rounds_seconds) for name, rounds_seconds in seconds.items()}


@contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """Let torch use `count` threads within the block."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
