"""The auction, by hand, and what must hold for any bids."""

import doctest

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import adi.online.auction
from adi.online.auction import Slates, auction


def run(
    predicted: list[float], bid: list[float], *, slots: int, reserve: float, eligible: list[bool] | None = None
) -> Slates:
    takes_part = np.ones((1, len(bid)), dtype=bool) if eligible is None else np.array([eligible])
    return auction(np.array([predicted]), np.array([bid]), takes_part, slots=slots, reserve=np.array([reserve]))


def test_the_example() -> None:
    assert doctest.testmod(adi.online.auction) == (0, 4)


def test_each_pays_what_keeps_the_slot() -> None:
    """Values .3, .4, .1: the second pays .3 / .2, the first .1 / .1, and the last .05 / .1, of one who is not shown."""
    slates = run([0.1, 0.2, 0.1, 0.05], [3.0, 2.0, 1.0, 1.0], slots=3, reserve=0.0)
    assert slates.columns.tolist() == [[1, 0, 2]]
    np.testing.assert_allclose(slates.price, [[1.5, 1.0, 0.5]])


def test_the_reserve_keeps_out_and_is_the_least_price() -> None:
    slates = run([0.1, 0.1, 0.1], [3.0, 0.5, 1.0], slots=3, reserve=0.8)
    assert slates.columns.tolist() == [[0, 2, -1]]
    np.testing.assert_allclose(slates.price[0, :2], [1.0, 0.8])


def test_who_does_not_take_part_is_not_shown_and_sets_no_price() -> None:
    slates = run([0.1, 0.1, 0.1], [3.0, 2.0, 1.0], slots=1, reserve=0.1, eligible=[True, False, True])
    assert (slates.columns.tolist(), slates.price.tolist()) == ([[0]], [[1.0]])


def test_a_list_without_candidates_is_empty() -> None:
    assert run([0.1, 0.1], [1.0, 1.0], slots=2, reserve=2.0).columns.tolist() == [[-1, -1]]


@given(
    predicted=arrays(float, (3, 6), elements=st.floats(0.01, 1.0)),
    bid=arrays(float, (3, 6), elements=st.floats(0.0, 5.0)),
    eligible=arrays(bool, (3, 6)),
)
def test_prices_are_between_the_reserve_and_the_bid_and_the_best_are_shown(
    predicted: np.ndarray, bid: np.ndarray, eligible: np.ndarray
) -> None:
    reserve = np.array([0.0, 0.5, 1.0])
    slates = auction(predicted, bid, eligible, slots=4, reserve=reserve)
    takes_part = eligible & (bid >= reserve[:, None])
    for row in range(3):
        columns = slates.columns[row][slates.columns[row] >= 0]
        value = (predicted * bid)[row]
        best = np.sort(value[takes_part[row] & (value > 0)])[::-1][:4]
        np.testing.assert_array_equal(value[columns], best)
        price = slates.price[row][: len(columns)]
        assert (price >= reserve[row]).all()
        assert (price <= bid[row][columns]).all()
