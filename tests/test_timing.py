"""Seconds by stage, on a clock that moves only when a test moves it."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from adi.timing import lap, stopwatch


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("adi.timing.perf_counter", clock)
    return clock


def end_after(clock: Clock, seconds: float, stage: str) -> None:
    clock.now += seconds
    lap(stage)


def test_a_stage_has_the_time_since_the_previous_lap(clock: Clock) -> None:
    with stopwatch() as watch:
        end_after(clock, 1, "features")
        end_after(clock, 2, "filter")
        end_after(clock, 4, "features")
        clock.now += 8
    assert watch.seconds == {"features": 5, "filter": 2}


def test_a_stopwatch_pauses_while_another_runs(clock: Clock) -> None:
    with stopwatch() as request:
        end_after(clock, 1, "read")
        clock.now += 2
        with stopwatch() as inner:
            end_after(clock, 4, "tower")
            clock.now += 8
        end_after(clock, 16, "events")
    assert request.seconds == {"read": 1, "events": 18}
    assert inner.seconds == {"tower": 4}


def test_it_stops_when_the_block_raises(clock: Clock) -> None:
    with stopwatch() as request:
        with pytest.raises(ValueError, match="no"), stopwatch():
            raise ValueError("no")
        end_after(clock, 1, "read")
    end_after(clock, 1, "read")
    assert request.seconds == {"read": 1}


def test_a_stopwatch_belongs_to_its_thread(clock: Clock) -> None:
    with stopwatch() as watch, ThreadPoolExecutor(1) as pool:
        pool.submit(lap, "tower").result()
    assert watch.seconds == {}
