"""Scores of the history's own items: weights that validation rows ask for, and lists of runs and bundles."""

import numpy as np
import pytest
import torch

from adi.data.blend import BlendWeights
from adi.data.dataset import Dataset
from adi.errors import AdiError
from adi.exporting.export import export
from adi.models.scorer import ScorerByDomain
from adi.retrieval.retriever import Retriever
from adi.runs.baselines import read_baselines
from adi.runs.info import read_info
from adi.training.blend import fit_blend
from adi.training.evaluation import evaluate_run
from adi.training.train import train

UNTRAINED = {"embedding_dim": 4, "dim": 4, "networks": (4,), "epochs": 1, "lr": 1e-6, "embedding_lr": 1e-6, "k": 2}
"""A model that has learned nothing."""


def habits(user):
    """Clicks of a user on three items in two domains: one often, one sometimes in x, one sometimes in y."""
    often, in_x, in_y = (f"i{number}" for number in np.random.default_rng(user).permutation(30)[:3])
    clicks = [(often, "x"), (in_x, "x"), (often, "y"), (in_y, "y"), (often, "x"), (often, "y")] * 2
    return [
        {"user": f"u{user}", "item": item, "domain": domain, "time": time}
        for time, (item, domain) in enumerate(clicks, start=100 * user)
    ]


@pytest.fixture
def groceries(workspace):
    workspace.write("log.jsonl", [row for user in range(80) for row in habits(user)])
    workspace.schema["split"] = {"kind": "last", "validation": 0.5}
    workspace.schema["corpus"] = "all"
    workspace.schema["repeats"] = True
    workspace.prepare()
    return workspace


class Flat:
    """A scorer that tells nothing: all items are equal."""

    def against(self, domain, items):
        return lambda queries: torch.zeros(len(queries), len(items))


def test_repeats_get_weight_where_users_come_back_to_items(groceries):
    fitted = fit_blend(ScorerByDomain([Flat()] * 2), Dataset(groceries.out), 0.5, 2, ("repeats",))
    assert fitted.similarity == "none"
    for weights in fitted.weights.values():
        assert weights.repeats > 0
        assert (weights.everywhere, weights.here) == (0.0, 0.0)


def test_similar_items_are_chosen_with_the_repeats(groceries):
    """All is known from the repeats, so that similar items need no weight."""
    dataset = Dataset(groceries.out)
    alone = fit_blend(ScorerByDomain([Flat()] * 2), dataset, 1.0, 2, ("similar",))
    assert all(weights.repeats == 0 < weights.everywhere for weights in alone.weights.values())
    both = fit_blend(ScorerByDomain([Flat()] * 2), dataset, 1.0, 2, ("repeats", "similar"))
    for weights in both.weights.values():
        assert weights == BlendWeights(0.0, 0.0, weights.repeats, weights.repeats_here)


def test_a_run_finds_what_is_taken_again_and_its_bundle_gives_the_same(groceries, tmp_path):
    for name, blend in (("with", ["repeats"]), ("without", False)):
        train(groceries.out, "dnn", tmp_path / name, settings={**UNTRAINED, "blend": blend})
        evaluate_run(tmp_path / name, ks=(1,), progress=False)
    assert read_info(tmp_path / "without").blend is None
    recalls = [evaluate_run(tmp_path / name, ks=(1,), progress=False).mean["recall@1"] for name in ("with", "without")]
    assert recalls[0] > 0.9
    assert recalls[1] < 0.3
    export(tmp_path / "with", tmp_path / "bundle", progress=False)
    run, bundle = Retriever(tmp_path / "with"), Retriever(tmp_path / "bundle")
    for domain in ("x", "y"):
        for user in range(80):
            asked = {"user": f"u{user}", "k": 5}
            expected, served = run.retrieve(domain, **asked), bundle.retrieve(domain, **asked)
            assert list(served.ids) == list(expected.ids)
            np.testing.assert_allclose(served.scores, expected.scores, rtol=1e-5)
            assert served.ids[0] == habits(user)[0]["item"]


def test_a_run_of_two_weights_is_read(groceries, tmp_path):
    """As an older adi wrote it, which had no repeats."""
    train(groceries.out, "dnn", tmp_path / "run", settings={**UNTRAINED, "blend": ["similar"]})
    info = read_info(tmp_path / "run")
    older = info.model_validate(info.model_dump() | {"blend": {"x": [1.0, 0.5], "y": [0.0, 0.0]}})
    assert older.blend == {"x": BlendWeights(1.0, 0.5), "y": BlendWeights(0.0, 0.0)}


def test_repeats_need_lists_that_show_them(groceries, tmp_path):
    groceries.schema["repeats"] = False
    groceries.prepare("without")
    with pytest.raises(AdiError, match=r"training\.blend: repeats: lists leave out the items of the history"):
        train(groceries.out, "dnn", tmp_path / "run", settings={**UNTRAINED, "blend": ["repeats"]})


def test_personal_popularity_is_a_baseline_where_items_repeat(groceries, tmp_path):
    train(groceries.out, "dnn", tmp_path / "run", settings={**UNTRAINED, "blend": False})
    for domain in read_baselines(tmp_path / "run").domains.values():
        assert {"personal-popularity", "personal-popularity by domain"} <= set(domain.ahead)
        assert domain.baselines["personal-popularity by domain"] == 1.0
