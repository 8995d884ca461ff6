"""Seconds by stage, on a clock that stands still unless it is told."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from adi.timing import lap, stopwatch


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    own = Clock()
    monkeypatch.setattr("adi.timing.perf_counter", own)
    return own


def pass_by(clock: Clock, seconds: float, stage: str) -> None:
    clock.now += seconds
    lap(stage)


def test_what_passes_until_a_stage_ends_is_its_own(clock: Clock) -> None:
    with stopwatch() as watch:
        pass_by(clock, 1, "features")
        pass_by(clock, 2, "filter")
        pass_by(clock, 4, "features")
        clock.now += 8
    assert watch.seconds == {"features": 5, "filter": 2}


def test_a_stopwatch_stands_still_while_another_runs(clock: Clock) -> None:
    with stopwatch() as request:
        pass_by(clock, 1, "read")
        clock.now += 2
        with stopwatch() as one:
            pass_by(clock, 4, "tower")
            clock.now += 8
        pass_by(clock, 16, "events")
    assert request.seconds == {"read": 1, "events": 18}
    assert one.seconds == {"tower": 4}


def test_it_stops_whatever_happens_within(clock: Clock) -> None:
    with stopwatch() as request:
        with pytest.raises(ValueError, match="no"), stopwatch():
            raise ValueError("no")
        pass_by(clock, 1, "read")
    pass_by(clock, 1, "read")
    assert request.seconds == {"read": 1}


def test_threads_do_not_see_each_others(clock: Clock) -> None:
    with stopwatch() as watch, ThreadPoolExecutor(1) as pool:
        pool.submit(lap, "tower").result()
    assert watch.seconds == {}
