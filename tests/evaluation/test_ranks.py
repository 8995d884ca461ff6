"""Ranks are kept whole, by domain, and never read beside the metrics of another evaluation."""

from hashlib import blake2b
from math import inf

import numpy as np
import pyarrow.parquet as pq
import pytest

from adi.errors import AdiError
from adi.evaluation.breakdown import group_numbers, labels
from adi.evaluation.ranks import Ranked, read_ranks, write_ranks
from adi.metrics import RECALL
from adi.runs.run import read_metrics
from adi.training.evaluation import evaluate_run
from adi.training.train import train


def ranked(rows, users, ranks, history, in_domain, popularity):
    by = {"history_length": history, "history_in_domain": in_domain, "item_popularity": popularity}
    return Ranked(
        np.array(rows, dtype=np.int64),
        np.array(users, dtype=np.int32),
        np.array(ranks, dtype=np.float64),
        {name: np.array(values, dtype=np.int64) for name, values in by.items()},
    )


RANKED = {
    "search": ranked([0, 1, 2], [4, 4, 7], [0.0, 2.5, inf], [5, 6, 0], [1, 2, 0], [800, 0, 3]),
    "kiosk": ranked([], [], [], [], [], []),
    "feed": ranked([3, 4], [0, 9], [12.0, 1.0], [2, 9], [2, 8], [7, 1]),
}


def test_ranks_are_read_as_they_were_written(tmp_path):
    digest = write_ranks(tmp_path, RANKED)
    found = read_ranks(tmp_path, digest, ["feed", "search", "kiosk"])
    assert list(found) == ["feed", "search", "kiosk"]
    for name, own in RANKED.items():
        for column in ("rows", "users", "ranks"):
            assert getattr(found[name], column).tolist() == getattr(own, column).tolist()
        assert {by: values.tolist() for by, values in found[name].by.items()} == {
            by: values.tolist() for by, values in own.by.items()
        }
    assert [path.name for path in tmp_path.iterdir()] == ["ranks.parquet"]


def test_the_file_has_a_row_for_each_query(tmp_path):
    write_ranks(tmp_path, RANKED)
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
    digest = write_ranks(tmp_path, RANKED)
    assert write_ranks(tmp_path, RANKED) == digest
    assert write_ranks(tmp_path, {**RANKED, "kiosk": RANKED["feed"]}) != digest


def test_ranks_that_are_missing_or_of_another_evaluation_are_refused(tmp_path):
    again = r"Run 'adi evaluate .*' again"
    with pytest.raises(AdiError, match=rf"metrics\.json: from before ranks were kept beside it\. {again}"):
        read_ranks(tmp_path, None, ["feed"])
    with pytest.raises(AdiError, match=rf"ranks\.parquet: cannot be read \(No such file.*\)\. {again}"):
        read_ranks(tmp_path, "beef", ["feed"])
    write_ranks(tmp_path, RANKED)
    with pytest.raises(AdiError, match=rf"not the file that metrics\.json was made from \(digest beef\)\. {again}"):
        read_ranks(tmp_path, "beef", ["feed"])


def test_ranks_from_before_they_were_kept_with_what_they_are_divided_by_are_refused(tmp_path):
    write_ranks(tmp_path, RANKED)
    path = tmp_path / "ranks.parquet"
    pq.write_table(pq.read_table(path, columns=["domain", "row", "user", "rank"]), path)
    digest = blake2b(path.read_bytes(), digest_size=16).hexdigest()
    with pytest.raises(AdiError, match=r"from before history_length was kept in it\. Run 'adi evaluate .*' again"):
        read_ranks(tmp_path, digest, ["feed"])


@pytest.fixture
def evaluated(prepared, tmp_path):
    run = tmp_path / "run"
    train(prepared, "popularity", run)
    return run, evaluate_run(run, ks=(1, 3))


def test_the_metrics_of_a_run_are_those_of_its_ranks(evaluated, dataset):
    run, metrics = evaluated
    found = read_ranks(run, metrics.ranks, dataset.domains)
    for index, name in enumerate(dataset.domains):
        assert RECALL.mean(found[name].ranks, 3) == metrics.domains[name]["recall@3"]
        users, _, domains = dataset.targets("test", found[name].rows)
        assert users.tolist() == found[name].users.tolist()
        assert set(domains) == {index}
    assert sum(len(own.rows) for own in found.values()) == len(dataset.rows("test"))


def test_the_breakdown_of_a_run_is_that_of_its_ranks(evaluated, dataset):
    run, metrics = evaluated
    found = read_ranks(run, metrics.ranks, dataset.domains)
    for index, name in enumerate(dataset.domains):
        own = found[name]
        queries = dataset.queries("test", own.rows)
        assert own.by["history_length"].tolist() == queries.histories.lengths.tolist()
        assert own.by["history_in_domain"].tolist() == queries.histories.lengths_in(queries.domains).tolist()
        items = dataset.targets("test", own.rows)[1]
        assert own.by["item_popularity"].tolist() == dataset.corpora.counts_of(index, items).tolist()
        for by, values in own.by.items():
            numbers = group_numbers(by, values)
            assert [
                (group.group, group.queries, group.measures["recall@3"]) for group in metrics.breakdown[by][name]
            ] == [
                (label, sum(numbers == number), RECALL.mean(own.ranks[numbers == number], 3))
                for number, label in enumerate(labels(by))
                if number in numbers
            ]


def test_an_evaluation_that_is_cut_off_leaves_no_mix(evaluated, dataset, monkeypatch):
    run, metrics = evaluated

    def cut_off(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("adi.training.evaluation.write_metrics", cut_off)
    with pytest.raises(KeyboardInterrupt):
        evaluate_run(run, ks=(1, 3), causal=False)
    assert read_metrics(run) == metrics
    with pytest.raises(AdiError, match=r"not the file that metrics\.json was made from"):
        read_ranks(run, metrics.ranks, dataset.domains)
