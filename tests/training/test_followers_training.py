"""Scores of items that follow: weights that validation rows ask for, and lists of runs, bundles and shards."""

import numpy as np
import pytest

from adi.bundle.portion import Portion, Shard
from adi.data.dataset import Dataset
from adi.errors import AdiError
from adi.exporting.export import export
from adi.retrieval.retriever import Retriever
from adi.runs.info import read_info
from adi.training.evaluation import evaluate_run
from adi.training.train import train

UNTRAINED = {"embedding_dim": 4, "dim": 4, "networks": (4,), "epochs": 1, "lr": 1e-6, "embedding_lr": 1e-6, "k": 2}
"""A model that has learned nothing."""

STEPS = {"x": 1, "y": 7}
"""In domain x an item is followed by the next one, in y by that seven further on."""


@pytest.fixture
def walks(workspace):
    """Users who begin anywhere among 40 items, and walk five steps in their only domain."""
    rows = [
        {"user": f"u{user}", "item": f"i{(user // 2 + step * STEPS[domain]) % 40}", "domain": domain, "time": step}
        for user in range(160)
        for domain in ["xy"[user % 2]]
        for step in range(6)
    ]
    workspace.write("log.jsonl", rows)
    workspace.schema["split"] = {"kind": "last", "validation": 0.5}
    workspace.schema["corpus"] = "all"
    workspace.prepare()
    return workspace


def test_what_follows_is_found_in_each_domain(walks, tmp_path):
    train(walks.out, "dnn", tmp_path / "run", settings={**UNTRAINED, "blend": ["follows"]})
    assert all(weights.follows_here > 0 for weights in read_info(tmp_path / "run").blend.values())
    assert evaluate_run(tmp_path / "run", ks=(1,), progress=False).mean["recall@1"] > 0.9


def test_a_bundle_and_its_shards_give_what_the_run_gives(walks, tmp_path):
    train(walks.out, "dnn", tmp_path / "run", settings={**UNTRAINED, "blend": ["follows"]})
    export(tmp_path / "run", tmp_path / "bundle", progress=False)
    assert (tmp_path / "bundle" / "followers").is_dir()
    assert not (tmp_path / "bundle" / "neighbours").exists()
    run, bundle = Retriever(tmp_path / "run"), Retriever(tmp_path / "bundle")
    shards = [Retriever(tmp_path / "bundle", portion=Portion(shard=Shard(number, 2))) for number in (1, 2)]
    for domain in ("x", "y"):
        for number in range(0, 160, 9):
            asked = {"user": f"u{number}", "k": 5}
            expected, served = run.retrieve(domain, **asked), bundle.retrieve(domain, **asked)
            assert list(served.ids) == list(expected.ids)
            np.testing.assert_allclose(served.scores, expected.scores, rtol=1e-5)
            best = max((shard.retrieve(domain, **asked) for shard in shards), key=lambda part: part.scores[0])
            assert best.ids[0] == expected.ids[0]


def test_a_request_is_followed_by_what_follows_its_last_item(walks, tmp_path):
    train(walks.out, "dnn", tmp_path / "run", settings={**UNTRAINED, "blend": ["follows"]})
    retriever = Retriever(tmp_path / "run")
    for domain, step in STEPS.items():
        assert retriever.retrieve(domain, history=["i3", "i20"], k=1).ids[0] == f"i{20 + step}"


def test_a_log_without_time_has_no_followers(walks, tmp_path):
    del walks.schema["interactions"]["time"]
    walks.prepare("timeless")
    assert Dataset(walks.out).manifest.time is None
    with pytest.raises(AdiError, match=r"training\.blend: follows: the log has no time"):
        train(walks.out, "dnn", tmp_path / "run", settings={**UNTRAINED, "blend": ["follows"]})
