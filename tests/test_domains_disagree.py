"""Data with a known answer: what must a model that is blind to the domain miss, and where must it miss nothing?"""

import json
from pathlib import Path

import numpy as np
import pytest

from adi.evaluation.evaluate import evaluate
from adi.marketplace.simulation import Marketplace, simulate
from adi.metrics import Metric
from adi.preparation.prepare import prepare
from adi.training.fitted import open_run
from adi.training.train import train

GROUPS, USERS_PER_GROUP, TESTED_PER_GROUP = 6, 40, 10
BLIND_DNN = {"domain_indicator": False}
SCHEMA = """
domains: {column: domain, values: [home, search, feed]}
interactions: {path: log.jsonl, user: user, item: item, time: time}
features:
  user: [{name: history, kind: behaviours, length: 5}, {name: last, kind: behaviours, length: 1}]
  item: [{name: item_id, kind: id}]
split: {kind: files, test: test.jsonl, validation: 0.1}
"""


EVEN = Metric("even", lambda ranks, k: np.clip(k - ranks, 0, 1))
"""Recall@k where two items that tie for the last place share it: each is a hit to one half."""


@pytest.fixture(scope="module")
def disagreeing(tmp_path_factory) -> Path:
    """Who looks at things of group g at home then takes thing g in search, and in feed the one across, g + 3.

    A user to learn from takes one of the two, those to test take both. So a history says nothing but the group, and
    the group leaves two things to choose from: which one, the domain alone tells.
    """
    folder = tmp_path_factory.mktemp("disagreeing")
    rng = np.random.default_rng(0)
    log, test = [], []
    for group in range(GROUPS):
        for number in range(USERS_PER_GROUP + TESTED_PER_GROUP):
            user = {"user": f"u{group}-{number}"}
            for time, look in enumerate(rng.permutation(4)[:2].tolist()):
                log.append(user | {"item": f"look {group} {look}", "domain": "home", "time": time})
            taken = {"search": f"thing {group}", "feed": f"thing {(group + GROUPS // 2) % GROUPS}"}
            rows = [user | {"item": item, "domain": domain, "time": 10} for domain, item in taken.items()]
            if number < USERS_PER_GROUP:
                log.append(rows[number % 2])
            else:
                test += rows
    for name, rows in (("log", log), ("test", test)):
        (folder / f"{name}.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n")
    (folder / "schema.yaml").write_text(SCHEMA)
    prepare(folder / "schema.yaml", folder / "prepared")
    return folder / "prepared"


def recall_at_1(prepared, out, model, settings, *, measure="recall@1"):
    train(prepared, model, out, settings=settings, baselines=False)
    _, dataset, scorer = open_run(out)
    domains = evaluate(scorer, dataset, ks=(1,), metrics=[EVEN]).domains
    assert domains["search"]["queries"] == domains["feed"]["queries"] == GROUPS * TESTED_PER_GROUP
    assert domains["search"]["corpus"] == domains["feed"]["corpus"] == GROUPS
    return [domains[name][measure] for name in ("search", "feed")]


QUICK = {
    "blend": False,  # which has weights of each domain
    "embedding_sets": 1,
    "embedding_dim": 16,
    "dim": 16,
    "networks": (32,),
    "dropout": 0.0,
    "embedding_dropout": 0.0,
    "behaviours": "mean",
    "popularity_prior": False,
    "refit": False,  # the weights that were the best on the validation rows
    "average": 0.0,  # the steps are few
    "epochs": 12,
    "patience": 12,
    "batch_size": 64,
    "lr": 0.01,
    "embedding_lr": 0.2,
    "k": 1,
    "uniform": 50,
}


TOLD = ["shared-bottom", "cross-stitch", "mmoe", "ple", "star", "adi-lt", "adi-va", "adi-se", "adi-se-max", "adi-paper"]


@pytest.mark.parametrize("model", TOLD)
def test_a_model_that_knows_the_domain_tells_domains_apart(disagreeing, tmp_path, model):
    search, feed = recall_at_1(disagreeing, tmp_path / "run", model, QUICK)
    assert search > 0.95
    assert feed > 0.95


def test_a_blind_network_cannot(disagreeing, tmp_path):
    """What it ranks first in search it ranks first in feed too, so that of a user's two test rows one hits at most."""
    recalls = recall_at_1(disagreeing, tmp_path / "run", "dnn", QUICK | BLIND_DNN)
    assert 0.4 < np.mean(recalls) <= 0.5  # it does know the group: without it, recall would be 1 in 6


@pytest.mark.parametrize("told", [True, False])
def test_networks_that_share_nothing_need_not_be_told(disagreeing, tmp_path, told):
    settings = QUICK | {"domain_indicator": told, "epochs": 20, "patience": 20}  # each has half the rows to learn from
    search, feed = recall_at_1(disagreeing, tmp_path / "run", "dnn-single", settings)
    assert search > 0.95
    assert feed > 0.95


def test_pooled_item_knn_cannot(disagreeing, tmp_path):
    recalls = recall_at_1(disagreeing, tmp_path / "run", "item-knn", {"scope": "all"}, measure="even@1")
    assert 0.4 < np.mean(recalls) <= 0.5


MARKET = QUICK | {"epochs": 5, "batch_size": 512, "k": 10, "uniform": 300, "lr": 0.003}
BLIND_SCHEMA = """
domains: {column: domain}
interactions: {path: interactions/*.parquet, user: user_id, item: item_id, time: ts}
features:
  user: [{name: history, kind: behaviours, length: 20}]
  item: [{name: item_id, kind: id}]
"""
"""The marketplace without its features by domain, which would tell a blind model of the domain."""


def gain(folder: Path, **strengths: float) -> tuple[float, float]:
    """What ADI recalls more than the blind network on a simulated marketplace, and the standard error of that."""
    sizes = {"users": 1500, "items": 300, "interactions": 22_000, "groups": 24, "clusters": 24}
    simulate(folder / "market", Marketplace(**sizes, **strengths, seed=1))
    (folder / "market" / "schema.yaml").write_text(BLIND_SCHEMA)
    prepare(folder / "market", folder / "prepared")
    recalls = []
    without_blend = {"blend": False}  # its weights and its neighbours are of single domains
    for model, more in (("adi-se", {"adaptation": "none"}), ("dnn", BLIND_DNN)):
        train(folder / "prepared", model, folder / model, settings=MARKET | more | without_blend, baselines=False)
        _, dataset, scorer = open_run(folder / model)
        domains = evaluate(scorer, dataset, ks=(10,)).domains.values()
        queries = sum(domain["queries"] for domain in domains)
        recalls.append(sum(domain["recall@10"] * domain["queries"] for domain in domains) / queries)
    # as if the two had been tested on different rows: on the same ones the difference varies less
    return recalls[0] - recalls[1], np.sqrt(sum(recall * (1 - recall) for recall in recalls) / queries)


@pytest.mark.slow
def test_knowing_the_domain_gains_nothing_where_domains_agree(tmp_path):
    """Within three standard errors (0.04 of recall); the same margin shows the gain where domains differ."""
    more, error = gain(tmp_path / "agreeing", specific_strength=0.0, bid_strength=0.0, quality_strength=0.0)
    assert abs(more) < 3 * error
    more, error = gain(tmp_path / "differing", specific_strength=3.0, bid_strength=1.0, quality_strength=0.0)
    assert more > 3 * error
