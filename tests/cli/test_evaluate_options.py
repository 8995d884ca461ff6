"""`adi evaluate` on queries for items of the history, and on small domains."""

import json
from pathlib import Path

import pytest

from adi.training.train import train
from workspace import Workspace


@pytest.fixture(scope="module")
def run(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on the hand-written log, where 2 queries of 11 in search and 3 of 9 in feed ask for an item of the history,
    and the kiosk has 4 queries for its one item."""
    folder = tmp_path_factory.mktemp("popularity") / "run"
    train(prepared, "popularity", folder)
    return folder


def measured(run: Path) -> dict:
    return json.loads((run / "metrics.json").read_text())


def recall_of_new(metrics: dict, name: str) -> float:
    """The recall over the queries for an item that the user did not have, from the groups of the breakdown."""
    groups = [group for groups in metrics["breakdown"]["item_in_history"].values() for group in groups]
    new = [group for group in groups if group["group"] == "0"]
    assert sum(group["queries"] for group in groups) == 24
    assert sum(group["queries"] for group in new) == 19
    return sum(group[name] * group["queries"] for group in new) / 19


def test_queries_for_an_item_of_the_history_are_misses_and_are_counted(adi, run: Path) -> None:
    said = adi("evaluate", run, "--k", "3,1").stdout
    metrics = measured(run)
    assert metrics["exclude_seen"] is True
    again = [groups[1] for groups in metrics["breakdown"]["item_in_history"].values() if len(groups) > 1]
    assert [(group["group"], group["queries"], group["recall@3"]) for group in again] == [("1+", 2, 0), ("1+", 3, 0)]
    assert said.splitlines()[0].strip() == (
        "popularity on test, against the corpus, history: earlier, left out of the lists"
    )
    assert (
        "5 of the 24 queries ask for an item of the user's history, which lists leave out: misses. "
        f"Over the others, recall@1 is {recall_of_new(metrics, 'recall@1'):.4f}.\n"
    ) in said
    assert adi("evaluate", run, "--k", "3,1", "--exclude-seen").stdout == said


def test_they_are_ranked_with_include_seen(adi, run: Path) -> None:
    said = adi("evaluate", run, "--k", "3,1", "--include-seen").stdout
    metrics = measured(run)
    assert metrics["exclude_seen"] is False
    again = [groups[1] for groups in metrics["breakdown"]["item_in_history"].values() if len(groups) > 1]
    assert [group["recall@3"] for group in again] == [1.0, 1.0]  # three items in feed; all ask for the pen in search
    assert said.splitlines()[0].strip() == "popularity on test, against the corpus, history: earlier"
    assert (
        "5 of the 24 queries ask for an item of the user's history. "
        f"Over the others, recall@1 is {recall_of_new(metrics, 'recall@1'):.4f}.\n"
    ) in said


def test_small_domains_are_marked(adi, run: Path) -> None:
    said = adi("evaluate", run, "--k", "3,1").stdout
    assert [line.split()[:2] for line in said.splitlines()[4:7]] == [["search", "*"], ["feed", "*"], ["kiosk", "*"]]
    assert (
        "* fewer than 100 test rows, or no more items than the shortest list: search, feed, kiosk; in the mean.\n"
    ) in said
    left = adi("evaluate", run, "--k", "3,1", "--leave-out-small").stdout
    assert [line.split() for line in left.splitlines() if line.split()[:1] == ["mean"]] == [["mean", *"––––"]]
    assert "search, feed, kiosk; left out of the mean.\n" in left


def test_a_log_without_repeats_has_nothing_to_say_of_them(adi, empty: Workspace) -> None:
    rows = [
        {"user": user, "item": item, "domain": domain, "time": time}
        for user in ("ann", "bo")
        for time, (item, domain) in enumerate([("x", "a"), ("y", "a"), ("z", "b"), ("w", "b")])
    ]
    empty.write("log.jsonl", rows)
    empty.prepare()
    adi("train", empty.out, "--model", "popularity", "--out", empty.out.parent / "run")
    assert "of the user's history" not in adi("evaluate", empty.out.parent / "run").stdout


def test_candidates_are_all_ranked(adi, empty: Workspace) -> None:
    rows = [
        {"user": user, "item": item, "domain": domain}
        for user in ("ann", "bo")
        for item, domain in (("x", "a"), ("y", "a"), ("z", "b"), ("w", "b"))
    ]
    empty.write("log.jsonl", rows)
    empty.write("test.jsonl", [rows[0], rows[6]])
    empty.write("candidates.jsonl", rows)
    del empty.schema["interactions"]["time"]
    empty.schema["split"] = {"kind": "files", "test": "test.jsonl", "candidates": "candidates.jsonl"}
    empty.prepare()
    run = empty.out.parent / "run"
    adi("train", empty.out, "--model", "popularity", "--out", run)
    said = adi("evaluate", run, "--exclude-seen")
    assert (said.returncode, said.stdout) == (2, "")
    assert said.stderr == "adi: --exclude-seen: candidates are all ranked. Evaluate against the corpus.\n"
    said = adi("evaluate", run)
    assert said.stdout.splitlines()[0].strip() == "popularity on test, against the candidates, history: all others"
    assert "\n2 of the 2 queries ask for an item of the user's history.\n" in said.stdout  # there are no others
    assert measured(run)["mean"]["recall@10"] == 1.0
    assert adi("evaluate", run, "--against", "corpus").returncode == 0
    assert measured(run)["mean"]["recall@10"] == 0.0
