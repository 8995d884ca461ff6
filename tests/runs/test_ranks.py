"""Ranks are kept by domain, and never read beside the metrics of another evaluation."""

import json
from math import inf

import numpy as np
import pyarrow.parquet as pq
import pytest

from adi.errors import AdiError
from adi.evaluation.breakdown import group_numbers, labels
from adi.metrics import RECALL
from adi.runs.ranks import QueryRanks, read_ranks, write_ranks
from adi.runs.run import read_metrics, read_run
from adi.training.evaluation import evaluate_run
from adi.training.train import train


def query_ranks(rows, users, ranks, history, in_domain, popularity):
    by = {"history_length": history, "history_in_domain": in_domain, "item_popularity": popularity}
    return QueryRanks(
        np.array(rows, dtype=np.int64),
        np.array(users, dtype=np.int32),
        np.array(ranks, dtype=np.float64),
        {name: np.array(values, dtype=np.int64) for name, values in by.items()},
    )


RANKS = {
    "search": query_ranks([0, 1, 2], [4, 4, 7], [0.0, 2.5, inf], [5, 6, 0], [1, 2, 0], [800, 0, 3]),
    "kiosk": query_ranks([], [], [], [], [], []),
    "feed": query_ranks([3, 4], [0, 9], [12.0, 1.0], [2, 9], [2, 8], [7, 1]),
}


@pytest.fixture
def run(ranked_run):
    """The folder of a run with the domains of RANKS."""
    return ranked_run("run", {"search": [(0, 0.0)], "kiosk": [], "feed": [(0, 0.0)]})


def with_digest(run, digest):
    """The run, read after its ``metrics.json`` has got another digest."""
    metrics = json.loads((run / "metrics.json").read_text())
    (run / "metrics.json").write_text(json.dumps(metrics | {"ranks": digest}))
    return read_run(run)


def test_ranks_are_read_as_they_were_written(run):
    ranks = read_ranks(with_digest(run, write_ranks(run, RANKS)))
    assert list(ranks) == ["search", "kiosk", "feed"]
    for domain, written in RANKS.items():
        for column in ("rows", "users", "ranks"):
            assert getattr(ranks[domain], column).tolist() == getattr(written, column).tolist()
        assert {by: values.tolist() for by, values in ranks[domain].by.items()} == {
            by: values.tolist() for by, values in written.by.items()
        }


def test_the_file_has_a_row_for_each_query(tmp_path):
    write_ranks(tmp_path, RANKS)
    table = pq.read_table(tmp_path / "ranks.parquet")
    assert {field.name: str(field.type) for field in table.schema} == {
        "domain": "string",
        "row": "int64",
        "user": "int64",
        "rank": "double",
        "history_length": "int64",
        "history_in_domain": "int64",
        "item_popularity": "int64",
    }
    assert table.to_pylist()[2:4] == [
        {"domain": "search", "row": 2, "user": 7, "rank": inf}
        | {"history_length": 0, "history_in_domain": 0, "item_popularity": 3},
        {"domain": "feed", "row": 3, "user": 0, "rank": 12.0}
        | {"history_length": 2, "history_in_domain": 2, "item_popularity": 7},
    ]


def test_the_same_ranks_have_the_same_digest_and_others_another(tmp_path):
    digest = write_ranks(tmp_path, RANKS)
    assert write_ranks(tmp_path, RANKS) == digest
    assert write_ranks(tmp_path, {**RANKS, "kiosk": RANKS["feed"]}) != digest


def test_ranks_that_are_missing_or_of_another_evaluation_are_refused(run):
    again = r"Run 'adi evaluate .*' again"
    with pytest.raises(AdiError, match=rf"metrics\.json: written by an adi that kept no ranks\. {again}"):
        read_ranks(with_digest(run, None))
    with pytest.raises(AdiError, match=rf"not the ranks that metrics\.json was made from \(digest beef\)\. {again}"):
        read_ranks(with_digest(run, "beef"))
    (run / "ranks.parquet").unlink()
    with pytest.raises(AdiError, match=rf"ranks\.parquet: cannot be read \(No such file.*\)\. {again}"):
        read_ranks(with_digest(run, "beef"))


@pytest.fixture
def evaluated(prepared, tmp_path):
    run = tmp_path / "run"
    train(prepared, "popularity", run)
    return run, evaluate_run(run, ks=(1, 3))


def test_the_metrics_of_a_run_are_those_of_its_ranks(evaluated, dataset):
    run, metrics = evaluated
    ranks = read_ranks(read_run(run))
    for index, name in enumerate(dataset.domains):
        assert RECALL.mean(ranks[name].ranks, 3) == metrics.domains[name]["recall@3"]
        users, _, domains = dataset.targets("test", ranks[name].rows)
        assert users.tolist() == ranks[name].users.tolist()
        assert set(domains) == {index}
    assert sum(len(part.rows) for part in ranks.values()) == len(dataset.rows("test"))


def test_the_breakdown_of_a_run_is_that_of_its_ranks(evaluated):
    run, metrics = evaluated
    ranks, dataset = read_ranks(read_run(run)), read_run(run).open_dataset()
    for index, name in enumerate(dataset.domains):
        part = ranks[name]
        queries = dataset.queries("test", part.rows)
        assert part.by["history_length"].tolist() == queries.histories.lengths.tolist()
        assert part.by["history_in_domain"].tolist() == queries.histories.lengths_in(queries.domains).tolist()
        items = dataset.targets("test", part.rows)[1]
        assert part.by["item_popularity"].tolist() == dataset.corpora.counts_of(index, items).tolist()
        assert part.by["item_in_history"].tolist() == queries.histories.counts_of(items).tolist()
        for by, values in part.by.items():
            numbers = group_numbers(by, values)
            assert [
                (group.group, group.queries, group.measures["recall@3"]) for group in metrics.breakdown[by][name]
            ] == [
                (label, sum(numbers == number), RECALL.mean(part.ranks[numbers == number], 3))
                for number, label in enumerate(labels(by))
                if number in numbers
            ]


def test_an_interrupted_evaluation_leaves_no_mix(evaluated, monkeypatch):
    run, metrics = evaluated

    def cut_off(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("adi.training.evaluation.write_metrics", cut_off)
    with pytest.raises(KeyboardInterrupt):
        evaluate_run(run, ks=(1, 3), causal=False)
    assert read_metrics(run) == metrics
    with pytest.raises(AdiError, match=r"not the ranks that metrics\.json was made from"):
        read_ranks(read_run(run))
