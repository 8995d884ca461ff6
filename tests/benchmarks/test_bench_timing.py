"""Turns of tasks, and medians over rounds."""

import pytest

from benchmarks import timing
from benchmarks.timing import Times, in_turns


def test_each_task_gets_its_turn_in_every_round() -> None:
    done: list[tuple[str, int]] = []
    times = in_turns(
        {"a": lambda call: done.append(("a", call)), "b": lambda call: done.append(("b", call))}, rounds=2, calls=2
    )
    assert done == [("a", 0), ("a", 1), ("b", 0), ("b", 1), ("a", 2), ("a", 3), ("b", 2), ("b", 3)]
    assert [len(calls) for calls in times["b"].seconds] == [2, 2]


def test_a_call_takes_what_the_clock_says(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 0.5, 1.0, 3.0])
    monkeypatch.setattr(timing, "perf_counter", lambda: next(clock))
    assert in_turns({"a": lambda call: None}, rounds=1, calls=2)["a"].seconds == [[0.5, 2.0]]


def test_percentiles_and_rates_are_medians_over_the_rounds() -> None:
    times = Times([[0.001, 0.003], [0.004, 0.004], [0.1, 0.3]])
    assert times.percentile_ms(50) == pytest.approx(4.0)  # of 2, 4 and 200
    assert times.spread_ms(50) == pytest.approx((2.0, 200.0))
    assert times.per_second(units=10) == pytest.approx(20 / 0.008)  # of 20 in 4, in 8 and in 400 milliseconds
    assert times.spread_per_second(units=10) == pytest.approx((20 / 0.4, 20 / 0.004))
