"""The course of a curve in words, and the agreement of weights with what hangs on them."""

import pytest

from adi.runs.groups import Estimate
from adi.reproduce.figures import course
from adi.reproduce.interest import rank_correlation


def points(*means, spread=0.01):
    return {count: Estimate(mean, spread) for count, mean in enumerate(means, 1)}


@pytest.mark.parametrize(
    ("means", "words"),
    [
        ((0.50, 0.53, 0.55), "rises from 0.5000 at K = 1 to 0.5500 at K = 3"),
        ((0.50, 0.56, 0.52), "rises, then falls, from 0.5000 at K = 1 to 0.5600 at K = 2 and 0.5200 at K = 3"),
        ((0.55, 0.56, 0.52), "falls from 0.5500 at K = 1 to 0.5200 at K = 3"),
        ((0.55, 0.50, 0.56), "falls, then rises, from 0.5500 at K = 1 to 0.5000 at K = 2 and 0.5600 at K = 3"),
        (
            (0.50, 0.51, 0.515),
            "neither rises nor falls by more than its spread, from 0.5000 at K = 1 to 0.5150 at K = 3",
        ),
    ],
)
def test_course(means, words) -> None:
    assert course(points(*means)) == words


def test_a_course_takes_two_points_and_the_order_of_their_numbers() -> None:
    assert course({1: Estimate(0.5), 2: Estimate(None)}) == "has no course yet"
    assert course({3: Estimate(0.5), 1: Estimate(0.4)}) == "rises from 0.4000 at K = 1 to 0.5000 at K = 3"


def test_rank_correlation_by_hand() -> None:
    assert rank_correlation([1, 2, 3, 4], [0.1, 0.3, 0.5, 9.0]) == pytest.approx(1)
    assert rank_correlation([1, 2, 3, 4], [4, 3, 2, 1]) == pytest.approx(-1)
    # ranks 1 2 3 4 and 2 1 4 3: 1 - 6 (1 + 1 + 1 + 1) / (4 (16 - 1))
    assert rank_correlation([1, 2, 3, 4], [20, 10, 40, 30]) == pytest.approx(0.6)
    # equal values share a rank: 1.5 1.5 3 4 against 1 2 3 4
    assert rank_correlation([5, 5, 6, 7], [1, 2, 3, 4]) == pytest.approx(4.5 / (4.5 * 5) ** 0.5)


def test_rank_correlation_says_nothing_of_few_or_of_equal_values() -> None:
    assert rank_correlation([1, 2, 3], [1, 2, 3]) is None
    assert rank_correlation([1, 1, 1, 1], [1, 2, 3, 4]) is None
    assert rank_correlation([1, None, 3, 4], [1, 2, 3, 4]) is None
