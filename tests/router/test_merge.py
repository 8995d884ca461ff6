"""Merging of shards' lists, by hand."""

import pytest

from adi.router.merge import DifferentAnswersError, check_alike, join_domains, merge_shards


def test_the_best_of_all_shards_equal_scores_by_id() -> None:
    shards = [
        {"items": ["z", "é", "b"], "scores": [3.0, 2.0, 1.0]},
        {"items": ["y", "c", "本", "a"], "scores": [2.5, 2.0, 2.0, 1.0]},
    ]
    assert merge_shards(shards, 6) == {
        "items": ["z", "y", "c", "é", "本", "a"],
        "scores": [3.0, 2.5, 2.0, 2.0, 2.0, 1.0],
    }
    assert merge_shards(shards, 1) == {"items": ["z"], "scores": [3.0]}
    assert merge_shards([{"items": [], "scores": []}, shards[0]], 9) == shards[0]


def test_parts_follow_their_items() -> None:
    shards = [
        {"items": ["a"], "scores": [1.0], "parts": {"taste": [0.75], "trend": [0.25]}},
        {"items": ["c", "b"], "scores": [2.0, 0.5], "parts": {"taste": [1.5, 0.5], "trend": [0.5, 0.0]}},
    ]
    merged = merge_shards(shards, 3)
    assert merged["items"] == ["c", "a", "b"]
    assert merged["parts"] == {"taste": [1.5, 0.75, 0.5], "trend": [0.5, 0.25, 0.0]}
    shards[1]["parts"] = None
    assert merge_shards(shards, 3)["parts"] is None


def result(**values):
    return {"version": "v1", "arm": None, "ignored": [], "without_events": False, "without_trends": False} | values


@pytest.mark.parametrize(
    "other", [{"version": "v2"}, {"arm": "new"}, {"without_events": True}, {"without_trends": True}]
)
def test_what_does_not_compare_is_not_merged(other) -> None:
    check_alike([result(), result()], ["a", "b"])
    (name, value), *_ = other.items()
    with pytest.raises(DifferentAnswersError, match=rf"a answers with {name} .*, and b with {value!r}"):
        check_alike([result(), result(**other)], ["a", "b"])


def test_unknown_items_are_listed_once() -> None:
    joined = join_domains([result(ignored=["x", "y"]), result(ignored=["y", "z"])], {"search": {"items": []}})
    assert joined == result(ignored=["x", "y", "z"], domains={"search": {"items": []}})
