"""Two models side by side: hits of one alone and what lists share, by hand."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from adi.errors import ArgumentError
from adi.report.elements import Figures
from adi.report.pair import Hits, chosen_pair, mean_overlap, side_by_side
from adi.runs.groups import RunGroup, group_runs
from adi.runs.lists import QueryLists
from adi.runs.run import read_runs

Make = Callable[..., Path]


def groups_of(*runs: Path) -> list[RunGroup]:
    return group_runs(read_runs(list(runs)))


def test_overlap_is_the_share_of_items_in_both_lists() -> None:
    one = QueryLists(np.array([1, 4, 8]), np.array([[1, 2, 3], [5, -1, -1], [0, 1, 2]]))
    other = QueryLists(np.array([1, 4, 9]), np.array([[3, 9, 1], [6, 5, -1], [0, 1, 2]]))
    assert mean_overlap(one, other) == pytest.approx((2 / 3 + 1 / 2) / 2)
    longer = QueryLists(np.array([1, 4]), np.array([[3, 9, 1, 2], [6, 5, -1, -1]]))  # cut at three items
    assert mean_overlap(one, longer) == mean_overlap(longer, one) == mean_overlap(one, other)
    assert mean_overlap(one, QueryLists(np.array([2]), np.array([[1, 2, 3]]))) is None


def test_hits_are_counted_once() -> None:
    hits = Hits.of(np.array([True, True, False, False, True]), np.array([True, False, True, False, False]))
    assert hits == Hits(both=1, first=2, second=1, neither=1)
    assert (hits.queries, hits.alone) == (5, (2 / 5, 1 / 5))


def test_the_pair_is_the_best_and_the_best_that_is_not_trained(ranked_run: Make) -> None:
    def run(name: str, hits: int, *, trained: bool) -> Path:
        queries = [(user, 0 if user < hits else 99) for user in range(10)]
        return ranked_run(name, {"a": queries}, model=name, parameters=5 if trained else None)

    runs = [
        run("low", 1, trained=False),
        run("dnn", 6, trained=True),
        run("knn", 3, trained=False),
        run("adi", 8, trained=True),
    ]
    assert [group.label for group in chosen_pair(groups_of(*runs), None, k=10)] == ["adi", "knn"]
    assert [group.label for group in chosen_pair(groups_of(runs[1], runs[3]), None, k=10)] == ["adi", "dnn"]
    assert [group.label for group in chosen_pair(groups_of(*runs), ("low", "dnn"), k=10)] == ["low", "dnn"]
    with pytest.raises(ArgumentError, match=r"pair: 'adj' is not one of low; dnn; knn; adi\. Did you mean 'adi'"):
        chosen_pair(groups_of(*runs), ("adj", "low"), k=10)
    with pytest.raises(ArgumentError, match="pair: 'low' is given twice"):
        chosen_pair(groups_of(*runs), ("low", "low"), k=10)


def test_wins_and_losses_by_domain_and_by_history(ranked_run: Make) -> None:
    def queries(first_hit: int, last_hit: int) -> list[tuple[int, int, int]]:
        """100 users, of whom every other one has a history; those from the first to the last are hits."""
        return [(user, 0 if first_hit <= user < last_hit else 50, user % 2) for user in range(100)]

    runs = [
        ranked_run("one", {"a": queries(0, 60), "b": queries(0, 10)}, model="one"),
        ranked_run("two", {"a": queries(40, 80), "b": queries(0, 10)}, model="two", parameters=None),
    ]
    figures = Figures()
    page = side_by_side(groups_of(*runs), figures, k=10, labels=("one", "two"))
    cell = '{} <span class="spread">{} %</span>'.format
    row = [cell(20, "20.0"), cell(40, "40.0"), cell(20, "20.0"), cell(20, "20.0")]
    shown = "".join(f"<td>{number}</td>" for number in ("100", "–", *row))
    assert f'<th scope="row">a</th>{shown}' in page
    assert "<td>one</td>" not in page
    assert "written by an adi that kept no lists" in page
    charts = list(figures.specifications.values())
    assert [chart["title"] for chart in charts] == ["a", "b"] * 2  # by history, and by popularity
    (values,) = charts[0]["datasets"].values()
    assert [(value["model"], value["x"], value["signed"]) for value in values] == [
        ("one", "0|50", 0.4),
        ("two", "0|50", -0.2),
        ("one", "1–2|50", 0.4),
        ("two", "1–2|50", -0.2),
    ]
    assert charts[0]["encoding"]["y"]["scale"]["domain"] == [-0.4, 0.4]
    assert side_by_side(groups_of(runs[0]), Figures(), k=10, labels=None) == ""
