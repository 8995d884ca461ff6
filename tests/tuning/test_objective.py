"""The objectives and their standard errors, by hand."""

import pytest

from adi.errors import AdiError
from adi.tuning.objective import mean, standard_error_of_mean, standard_errors, value_of, worst

BASE = {"search": 0.5, "feed": 0.2, "kiosk": 0.0, "empty": None}
OTHER = {"search": 0.4, "feed": 0.3, "kiosk": 0.1, "empty": None}


def test_mean_leaves_out_domains_without_rows() -> None:
    assert mean(OTHER) == pytest.approx(0.8 / 3)
    assert value_of("mean", OTHER, BASE) == mean(OTHER)


def test_worst_is_the_smallest_ratio_to_the_base_and_not_the_smallest_recall() -> None:
    assert worst(OTHER, BASE) == pytest.approx(0.4 / 0.5)  # feed is lower and has 1.5
    assert value_of("worst", OTHER, BASE) == worst(OTHER, BASE)
    assert worst({"search": 0.6, "feed": 0.3, "kiosk": 0.0, "empty": None}, BASE) == pytest.approx(1.2)


def test_the_base_itself_has_worst_1() -> None:
    assert worst(BASE, BASE) == 1.0


def test_worst_needs_a_domain_in_which_the_base_finds_something() -> None:
    with pytest.raises(AdiError, match="objective: worst: the recall of the base settings is 0 in every domain"):
        worst(OTHER, {"search": 0.0, "feed": None, "kiosk": 0.0, "empty": None})


def test_standard_errors() -> None:
    errors = standard_errors({"a": 0.2, "b": 0.1, "c": None, "d": 1.0}, {"a": 100, "b": 100, "c": 0, "d": 4})
    assert errors == {"a": pytest.approx(0.04), "b": pytest.approx(0.03), "c": None, "d": 0.0}


def test_standard_error_of_the_mean() -> None:
    """sqrt(0.04^2 + 0.03^2) / 2"""
    queries = {"a": 100, "b": 100, "c": 0}
    assert standard_error_of_mean({"a": 0.2, "b": 0.1, "c": None}, queries) == pytest.approx(0.025)
