"""Ranks are kept whole, by domain, and never read beside the metrics of another evaluation."""

import json
from math import inf

import numpy as np
import pyarrow.parquet as pq
import pytest

from adi.errors import AdiError
from adi.evaluation.metrics import recall
from adi.evaluation.ranks import Ranked, read_ranks, write_ranks
from adi.training.evaluation import evaluate_run
from adi.training.loop import train

RANKED = {
    "search": Ranked(np.array([0, 1, 2]), np.array([4, 4, 7], dtype=np.int32), np.array([0.0, 2.5, inf])),
    "kiosk": Ranked(np.array([], dtype=np.int64), np.array([], dtype=np.int32), np.array([])),
    "feed": Ranked(np.array([3, 4]), np.array([0, 9], dtype=np.int32), np.array([12.0, 1.0])),
}


def test_ranks_are_read_as_they_were_written(tmp_path):
    digest = write_ranks(tmp_path, RANKED)
    found = read_ranks(tmp_path, digest, ["feed", "search", "kiosk"])
    assert list(found) == ["feed", "search", "kiosk"]
    for name, own in RANKED.items():
        for column in ("rows", "users", "ranks"):
            assert getattr(found[name], column).tolist() == getattr(own, column).tolist()
    assert [path.name for path in tmp_path.iterdir()] == ["ranks.parquet"]


def test_the_file_has_a_row_for_each_query(tmp_path):
    write_ranks(tmp_path, RANKED)
    table = pq.read_table(tmp_path / "ranks.parquet")
    assert {field.name: str(field.type) for field in table.schema} == {
        "domain": "string",
        "row": "int64",
        "user": "int64",
        "rank": "double",
    }
    assert table.to_pylist()[2:4] == [
        {"domain": "search", "row": 2, "user": 7, "rank": inf},
        {"domain": "feed", "row": 3, "user": 0, "rank": 12.0},
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


@pytest.fixture
def evaluated(prepared, tmp_path):
    run = tmp_path / "run"
    train(prepared, "popularity", run)
    return run, evaluate_run(run, ks=(1, 3))


def test_the_metrics_of_a_run_are_those_of_its_ranks(evaluated, dataset):
    run, metrics = evaluated
    found = read_ranks(run, metrics["ranks"], dataset.domains)
    for index, name in enumerate(dataset.domains):
        assert recall(found[name].ranks, 3) == metrics["domains"][name]["recall@3"]
        users, _, domains = dataset.targets("test", found[name].rows)
        assert users.tolist() == found[name].users.tolist()
        assert set(domains) == {index}
    assert sum(len(own.rows) for own in found.values()) == len(dataset.rows("test"))


def test_an_evaluation_that_is_cut_off_leaves_no_mix(evaluated, dataset, monkeypatch):
    run, metrics = evaluated

    def cut_off(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("adi.training.evaluation.write_json", cut_off)
    with pytest.raises(KeyboardInterrupt):
        evaluate_run(run, ks=(1, 3), causal=False)
    assert json.loads((run / "metrics.json").read_text()) == metrics
    with pytest.raises(AdiError, match=r"not the file that metrics\.json was made from"):
        read_ranks(run, metrics["ranks"], dataset.domains)
