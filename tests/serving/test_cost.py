"""The cost of a call, and estimates of the time that work takes."""

import pytest

from adi.serving.cost import FIRST_GUESSES, WITHIN, Cost, WorkTimes, cost_of
from adi.serving.requests import RetrieveCall, RetrieveRequest


def call(*requests: dict) -> RetrieveCall:
    return RetrieveCall([RetrieveRequest.model_validate(request) for request in requests])


@pytest.mark.parametrize(
    ("requests", "cost"),
    [
        ([{"user": "ana"}], Cost(lists=3, items=30)),
        ([{"user": "ana", "domains": ["feed"], "k": 7}], Cost(lists=1, items=7)),
        ([{"history": ["a", "b"], "exclude": ["c"], "domains": ["feed", "cart"], "k": 5}], Cost(2, 10, ids=6)),
        ([{"filter": "price > 0", "k": 1}], Cost(3, 3, filters=3)),
        ([{"filter": f"price > {n}", "domains": ["feed"], "k": 1} for n in range(64)], Cost(64, 64, filters=64)),
        ([{"filter": "price > 0", "domains": ["feed"], "k": 1}] * 64, Cost(64, 64, filters=1)),
    ],
)
def test_the_cost_of_a_call(requests, cost) -> None:
    assert cost_of(call(*requests), 3) == cost


def test_costs_add_up() -> None:
    assert Cost(1, 2, 3, 4, 5).plus(Cost(10, 20, 30, 40, 50)) == Cost(11, 22, 33, 44, 55)
    assert Cost(11, 22, 33, 44, 55).minus(Cost(1, 2, 3, 4, 5)) == Cost(10, 20, 30, 40, 50)


def test_an_estimate_is_the_sum_of_its_parts() -> None:
    times = WorkTimes()
    assert times.seconds(Cost()) == 0
    assert times.seconds(Cost(2, 10, 3, 4, 1)) == pytest.approx(2 * 5e-4 + 10 * 1e-6 + 3 * 1e-5 + 4 * 1e-2 + 5e-4)


def test_estimates_of_mixed_work_are_learned_part_by_part() -> None:
    times, plain, filtered = WorkTimes(), Cost(lists=1), Cost(lists=64, filters=64)
    for _ in range(50):
        times.learn(plain, 0.002)
        times.learn(filtered, 64 * 0.1)
    assert times.seconds(plain) == pytest.approx(0.002, rel=0.1)
    assert times.seconds(filtered) == pytest.approx(6.4, rel=0.1)
    assert times.seconds(Cost(ids=1)) == FIRST_GUESSES[2]


def test_a_pause_changes_an_estimate_by_a_factor_of_two_and_no_rate_leaves_its_bounds() -> None:
    times, plain = WorkTimes(), Cost(lists=1)
    times.learn(plain, 100.0)
    assert times.seconds(plain) == pytest.approx(2 * FIRST_GUESSES[0])
    for seconds, bound in ((100.0, WITHIN), (0.0, 1 / WITHIN)):
        for _ in range(50):
            times.learn(plain, seconds)
        assert times.seconds(plain) == pytest.approx(bound * FIRST_GUESSES[0])
