"""Self-training on a log with trends: pairs are scored, and trained on, by what is known at the moment of their row."""

import json

import numpy as np
import pytest
import torch

from adi.losses import sampled_softmax
from adi.models.catalog import MODELS
from adi.models.vectors import VectorScorer
from adi.training.loader import Loader, PseudoPositives, negative_sampler
from adi.training.self_training import SelfTraining
from adi.training.settings import settings_for
from adi.training.step import batch_loss
from adi.training.train import train

SMALL = {"embedding_dim": 8, "dim": 8, "networks": [8], "neighbours": 0, "dropout": 0.0, "embedding_dropout": 0.0}


@pytest.fixture(params=["trending", "trending_audience"])
def trended(request):
    return request.getfixturevalue(request.param)


@pytest.fixture(params=["adi-se", "dnn-single"])
def name(request):
    return request.param


@pytest.fixture
def model(name, trended):
    """A model whose weights of trends all matter."""
    torch.manual_seed(0)
    model = MODELS[name].build(trended, settings_for(MODELS[name], SMALL).model)
    with torch.no_grad():
        for path, parameter in model.named_parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
            parameter.mul_(20.0 if "gates" in path or "of_audience" in path else 1.0)
    return model.eval()


@pytest.fixture
def loader(trended, model):
    """A loader whose negatives are all items, with the audiences of the model."""
    loader = Loader(trended, batch_size=64, sampler=negative_sampler(trended, in_batch=False, uniform=1000))
    loader.moments.audiences = VectorScorer(model, trended).audiences(trended.clicks("frozen"))
    return loader


def evaluated(model, trended, loader, rows, domain):
    """The evaluator's scores of all items of a domain for training rows, as their users in it (n, m)."""
    queries = loader.queries(rows, np.full(len(rows), domain)).at(loader.moments.moments[loader.moments.group_of[rows]])
    return VectorScorer(model, trended).against(domain, trended.corpora.retrievable(domain))(queries)


def test_pairs_have_the_scores_of_the_evaluator(model, name, trended, loader):
    training = settings_for(MODELS[name], {**SMALL, "self_training": True}).training
    made = SelfTraining(model, trended, loader, training, start=0)
    pairs = made.pairs(next(iter(loader.draws(0)))[0])
    scores = made.scores(pairs)
    model.eval()
    assert len(scores) > 20
    for domain in (0, 1):
        (places,) = np.nonzero(pairs.targets == domain)
        expected = evaluated(model, trended, loader, pairs.rows[places], domain)
        columns = np.searchsorted(trended.corpora.retrievable(domain), pairs.items[places])
        np.testing.assert_allclose(
            scores[places], expected[np.arange(len(places)), columns].numpy(), rtol=1e-4, atol=1e-4
        )


def test_the_loss_of_pseudo_positives_is_that_of_the_evaluators_scores(model, trended, loader):
    rows, rng = next(iter(loader.draws(0)))
    users, items, domains = trended.targets("train", rows)
    other = 1 - domains
    chosen = np.arange(0, len(rows), 3)  # all items can be retrieved in both domains
    pseudo = PseudoPositives(rows[chosen], other[chosen])
    losses = []
    for further in (PseudoPositives(rows[:0], rows[:0]), pseudo):
        batch = loader.batch(rows, rng, further)
        with torch.no_grad():
            losses.append(float(batch_loss(model, batch, sampled_softmax)) * batch.size)
    expected = 0.0
    for domain in (0, 1):
        of_domain, corpus = chosen[other[chosen] == domain], trended.corpora.retrievable(domain)
        scores = evaluated(model, trended, loader, rows[of_domain], domain) / model.temperature
        known, offsets = trended.known_positives(users[of_domain], other[of_domain])
        columns = torch.from_numpy(np.searchsorted(corpus, items[of_domain]))
        targets = scores[torch.arange(len(columns)), columns]
        scores[np.repeat(np.arange(len(of_domain)), np.diff(offsets)), np.searchsorted(corpus, known)] = -torch.inf
        scores[torch.arange(len(columns)), columns] = targets
        expected += float((scores.logsumexp(dim=1) - targets).sum())
    assert losses[1] - losses[0] == pytest.approx(expected, rel=1e-3)


def test_samples_stay_sorted_by_moment_with_their_own_positives(trended):
    sampler = negative_sampler(trended, in_batch=True, uniform=2)
    loader = Loader(trended, batch_size=64, sampler=sampler)
    rows, rng = next(iter(loader.draws(0)))
    domains = trended.targets("train", rows)[2]
    batch = loader.batch(rows, rng, PseudoPositives(rows[::2], 1 - domains[::2]))
    codes = np.asarray(trended.feature("item", "item_id"))
    all_rows, all_domains = np.concatenate([rows, rows[::2]]), np.concatenate([domains, 1 - domains[::2]])
    for domain in (0, 1):
        here = all_rows[all_domains == domain]
        groups = np.sort(loader.moments.group_of[here])
        distinct, counts = np.unique(groups, return_counts=True)
        assert np.diff(batch.trends[domain].cuts).tolist() == counts.tolist()
        start = batch.item_offsets[domain]
        of_candidates = batch.item["item_id"].values[start : batch.item_offsets[domain + 1]].numpy()
        found = of_candidates[batch.candidates[domain].positive.numpy()]
        cuts = np.cumsum([0, *counts])
        for number, group in enumerate(distinct):
            expected = codes[trended.targets("train", here[loader.moments.group_of[here] == group])[1]]
            assert sorted(found[cuts[number] : cuts[number + 1]]) == sorted(expected)


def test_a_run_with_self_training(trended, tmp_path):
    changes = {**SMALL, "epochs": 4, "batch_size": 128, "self_training": True, "patience": 9}
    train(trended.folder, "adi-se", tmp_path / "run", settings=changes, progress=False)
    audit = json.loads((tmp_path / "run" / "self_training.json").read_text(encoding="utf-8"))
    assert all(pair["accepted"] > 0 for pair in audit["pairs"])
