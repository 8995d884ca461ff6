"""Pairwise options: every allowed pair is there, in far fewer rows than all combinations."""

from itertools import combinations

from pairwise import pairwise

OPTIONS = {"a": (1, 2, 3), "b": ("x", "y"), "c": (True, False), "d": ((), (1,), (2, 3))}


def test_every_pair_of_values_is_in_some_row() -> None:
    rows = pairwise(OPTIONS)
    for (first, values), (second, others) in combinations(OPTIONS.items(), 2):
        met = {(row[first], row[second]) for row in rows}
        assert met == {(value, other) for value in values for other in others}
    assert len(rows) <= 11  # of 36
    assert rows == pairwise(OPTIONS)


def test_what_is_not_allowed_is_in_no_row() -> None:
    rows = pairwise(OPTIONS, allowed=lambda row: row["a"] != 1 or row["b"] == "x")
    assert {(row["a"], row["b"]) for row in rows} == {(1, "x"), (2, "x"), (2, "y"), (3, "x"), (3, "y")}
