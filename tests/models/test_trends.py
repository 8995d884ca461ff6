"""Every trained model on a log with trends: its scores follow the moment, and training learns to use it."""

import json

import numpy as np
import pytest
import torch

from adi.data.dataset import Dataset
from adi.errors import AdiError
from adi.evaluation.evaluate import evaluate
from adi.models.catalog import MODELS
from adi.models.model import TrainedModel
from adi.models.vectors import VectorScorer
from adi.training.evaluation import evaluate_run
from adi.training.fitted import open_run
from adi.training.loader import Loader, negative_sampler
from adi.training.settings import settings_for
from adi.training.step import Step, batch_loss
from adi.training.train import train

TRAINED = [name for name, model in MODELS.items() if isinstance(model, TrainedModel)]
SMALL = {"embedding_dim": 8, "dim": 8, "networks": [8], "neighbours": 0}


def settings_of(name):
    changes = {
        key: value for key, value in SMALL.items() if name != "lightgcn" or key not in ("networks", "neighbours")
    }
    return settings_for(MODELS[name], changes)


@pytest.fixture(params=["trending", "trending_audience"])
def trended(request) -> Dataset:
    """The log without audiences, and with them."""
    return request.getfixturevalue(request.param)


def perturbed(name, dataset):
    """A model whose weights of trends differ, which all start at the same value, and whose audiences weigh much."""
    torch.manual_seed(0)
    model = MODELS[name].build(dataset, settings_of(name).model)
    for path, parameter in model.named_parameters():
        with torch.no_grad():
            parameter.add_(0.05 * torch.randn_like(parameter))
            parameter.mul_(20.0 if "gates" in path or "of_audience" in path else 1.0)
    return model.eval()


@torch.no_grad()
def summed_loss(model, name, loader):
    """The loss of a loader's first batch."""
    batch = loader.batch(*next(iter(loader.draws(0))))
    return float(batch_loss(model, batch, MODELS[name].loss)) * batch.size


@pytest.mark.parametrize("name", TRAINED)
def test_a_batch_is_scored_as_the_evaluator_scores_its_rows(trended, name):
    """The loss of a batch with all items as negatives is that of the evaluator's scores at the samples' moments."""
    model = perturbed(name, trended)
    loader = Loader(trended, batch_size=64, sampler=negative_sampler(trended, in_batch=False, uniform=1000))
    assert loader.moments is not None
    scorer, total = VectorScorer(model, trended), 0.0
    trained = summed_loss(model, name, loader)
    if model.audience_dim:
        without, loader.moments.audiences = trained, scorer.audiences(trended.clicks("frozen"))
        trained = summed_loss(model, name, loader)
        assert abs(trained - without) > 1e-3 * without  # far above the error below
    assert np.isfinite(trained)
    if "mind" in name or settings_of(name).model.num_sets > 1:
        return  # the loss of several interests or sets is not that of one score
    rows, _ = next(iter(loader.draws(0)))
    for domain in (0, 1):
        of_domain = np.sort(rows[trended.targets("train", rows)[2] == domain])
        items, known = trended.corpora.retrievable(domain), trended.known_positives
        queries = trended.queries("train", of_domain)
        moments = loader.moments.moments[loader.moments.group_of[of_domain]]
        scores = scorer.against(domain, items)(queries.at(moments)) / model.temperature
        users, targets, domains = trended.targets("train", of_domain)
        positives, offsets = known(users, domains)
        target_scores = scores[torch.arange(len(targets)), torch.from_numpy(np.searchsorted(items, targets))]
        scores[np.repeat(np.arange(len(users)), np.diff(offsets)), np.searchsorted(items, positives)] = -torch.inf
        scores[torch.arange(len(targets)), torch.from_numpy(np.searchsorted(items, targets))] = target_scores
        total += float((scores.logsumexp(dim=1) - target_scores).sum())
    assert trained == pytest.approx(total, rel=1e-4)


def test_training_learns_what_is_clicked_now(trending, tmp_path):
    """Counters make recall on test hours, whose hot items differ from those of training."""
    changes = {**SMALL, "epochs": 12, "batch_size": 128, "lr": 0.01, "refit": False}
    train(trending.folder, "dnn", tmp_path / "dnn", settings=changes, progress=False)
    measured = evaluate_run(tmp_path / "dnn", ks=(3,), progress=False)
    train(trending.folder, "popularity", tmp_path / "popularity", progress=False)
    popular = evaluate_run(tmp_path / "popularity", ks=(3,), progress=False)
    assert measured.known == "live"
    assert measured.live.mean["recall@3"] > 2 * popular.live.mean["recall@3"]
    assert measured.live.mean["recall@3"] > measured.frozen.mean["recall@3"]
    written = json.loads((tmp_path / "dnn" / "metrics.json").read_text())
    assert written["domains"] == written["live"]["domains"] != written["frozen"]["domains"]


def test_counters_are_baselines(trending, tmp_path):
    recalls = {}
    for name, changes in (("popularity", {}), ("popularity", {"half_life": 600}), ("co-clicks", {"half_life": 600})):
        run = tmp_path / f"{name}{len(changes)}"
        train(trending.folder, name, run, settings=changes, progress=False)
        recalls[run.name] = evaluate_run(run, ks=(3,), progress=False).live.mean["recall@3"]
    assert recalls["popularity1"] > 2 * recalls["popularity0"]
    assert recalls["co-clicks1"] > 2 * recalls["popularity0"]


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("popularity", {"half_life": 601}, "not one of the half-lives .*600, 3600"),
        ("popularity", {"half_life": "10m"}, "whose time is a number"),
        ("co-clicks", {"co_click_half_life": 7}, r"not one of the half-lives .*1800"),
    ],
)
def test_half_lives_are_those_of_the_schema(trending, tmp_path, name, changes, message):
    with pytest.raises(AdiError, match=message):
        train(trending.folder, name, tmp_path / "run", settings=changes, progress=False)


def test_co_clicks_need_a_log_with_trends(dataset, tmp_path):
    with pytest.raises(AdiError, match=r"needs clicks by time.*Give the schema a trend"):
        train(dataset.folder, "co-clicks", tmp_path / "run", progress=False)


def test_a_half_life_of_popularity_is_in_the_unit_of_a_log_without_trends(dataset, tmp_path):
    with pytest.raises(AdiError, match="half_life: '1h' does not fit this log, whose time is a number without a unit"):
        train(dataset.folder, "popularity", tmp_path / "run", settings={"half_life": "1h"}, progress=False)


def test_items_without_training_rows_have_a_trained_embedding(trending):
    """Some item ids of every batch, in histories and among candidates, are taken for unknown."""
    sampler = negative_sampler(trending, in_batch=False, uniform=1000)
    loader = Loader(trending, batch_size=512, sampler=sampler, unknown=0.5)
    batch = next(iter(loader.epoch(0)))
    for values in (batch.item["item_id"].values, batch.user["history"].values):
        share = float((values == 1).float().mean())
        assert 0.3 < share < 0.7
    known = next(iter(Loader(trending, batch_size=512, sampler=sampler).epoch(0)))
    assert not (known.item["item_id"].values == 1).any()


def test_a_run_with_trends_resumes_and_reopens(trending, tmp_path):
    changes = {**SMALL, "epochs": 2, "batch_size": 256}
    train(trending.folder, "adi-se", tmp_path / "run", settings=changes, progress=False)
    again = tmp_path / "again"
    train(trending.folder, "adi-se", again, settings=changes, progress=False)
    measured = [
        evaluate(open_run(folder).scorer, Dataset(trending.folder), known="live", ks=(3,)).mean["recall@3"]
        for folder in (tmp_path / "run", again)
    ]
    assert measured[0] == measured[1]


def test_a_step_changes_the_weights_of_trends(trending):
    settings = settings_of("adi-se")
    model = MODELS["adi-se"].build(trending, settings.model)
    sampler = negative_sampler(trending, in_batch=True, uniform=5)
    batch = next(iter(Loader(trending, batch_size=256, sampler=sampler).epoch(0)))
    before = {name: value.clone() for name, value in model.named_parameters()}
    Step(model, settings.training, MODELS["adi-se"].loss)(batch)
    changed = {name for name, value in model.named_parameters() if not torch.equal(value, before[name])}
    assert {"trends.weights", "trends.items.output.weight", "trends.co_clicks.weight"} <= changed
    assert any(name.startswith("user_tower.weights.") for name in changed)


@pytest.mark.parametrize("name", ["adi-se", "adi-lt", "mind", "dnn-single"])
def test_a_step_changes_the_weights_of_audiences(trending_audience, name):
    """In every domain's network, and in models of several interests or embedding sets, too."""
    settings = settings_of(name)
    model = MODELS[name].build(trending_audience, settings.model)
    loader = Loader(
        trending_audience, batch_size=256, sampler=negative_sampler(trending_audience, in_batch=True, uniform=5)
    )
    loader.moments.audiences = VectorScorer(model, trending_audience).audiences(trending_audience.clicks("frozen"))
    batch = next(iter(loader.epoch(0)))
    before = {path: value.clone() for path, value in model.named_parameters()}
    loss = Step(model.train(), settings.training, MODELS[name].loss)(batch)
    assert torch.isfinite(loss)
    of_audiences = [path for path in before if ".gates." in path or ".of_audience." in path]
    assert len(of_audiences) == 3 * (2 if name == "dnn-single" else 1)
    changed = {path for path, value in model.named_parameters() if not torch.equal(value, before[path])}
    assert set(of_audiences) <= changed


def test_the_first_epoch_has_no_audiences(trending_audience):
    """Before anything is learned of users, the coordinates of audiences are 0; and a quiet item always has none."""
    model = perturbed("dnn", trending_audience)
    features = torch.randn(3, 5, 5, generator=torch.Generator().manual_seed(0))  # (g, m, T)
    audiences = torch.randn(3, 5, 1, 8, generator=torch.Generator().manual_seed(1))  # (g, m, K, dim)
    without, known = model.trend_coordinates(features, 1), model.trend_coordinates(features, 1, audiences)
    assert without.shape == known.shape == (3, 5, model.trends.items.width)
    assert not without[..., -8:].any()
    torch.testing.assert_close(without[..., :-8], known[..., :-8])
    gates = model.trends.items.gates(model.trends.items.hidden(features, 1))  # (g, m, K)
    torch.testing.assert_close(known[..., -8:], gates * audiences[:, :, 0])
