"""Rank correlation of weights and falls, by hand."""

import pytest

from adi.reproduce.interest import rank_correlation


def test_rank_correlation_by_hand() -> None:
    assert rank_correlation([1, 2, 3, 4], [0.1, 0.3, 0.5, 9.0]) == pytest.approx(1)
    assert rank_correlation([1, 2, 3, 4], [4, 3, 2, 1]) == pytest.approx(-1)
    # ranks 1 2 3 4 and 2 1 4 3: 1 - 6 (1 + 1 + 1 + 1) / (4 (16 - 1))
    assert rank_correlation([1, 2, 3, 4], [20, 10, 40, 30]) == pytest.approx(0.6)
    # equal values share a rank: 1.5 1.5 3 4 against 1 2 3 4
    assert rank_correlation([5, 5, 6, 7], [1, 2, 3, 4]) == pytest.approx(4.5 / (4.5 * 5) ** 0.5)


def test_few_or_equal_values_have_no_rank_correlation() -> None:
    assert rank_correlation([1, 2, 3], [1, 2, 3]) is None
    assert rank_correlation([1, 1, 1, 1], [1, 2, 3, 4]) is None
    assert rank_correlation([1, None, 3, 4], [1, 2, 3, 4]) is None
