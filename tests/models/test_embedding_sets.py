"""Embedding sets against what they stand for: models side by side."""

import re

import numpy as np
import pytest
import torch

from adi.errors import AdiError
from adi.losses import sampled_softmax
from adi.models.catalog import MODELS
from adi.models.interest import interests, weighted_features, zeroed
from adi.models.scorer import ScorerByDomain
from adi.models.vectors import VectorScorer
from adi.training.loader import Loader, negative_sampler
from adi.training.settings import settings_for
from adi.training.step import batch_loss

SETS = 3
LONE = {"embedding_dim": 2, "dim": 3, "networks": (5,), "embedding_std": 1.0, "dropout": 0.0, "embedding_dropout": 0.0}
TOGETHER = LONE | {"embedding_sets": SETS}
VARIANTS = [
    ("dnn", {"behaviours": "mean"}),
    ("adi-se", {}),
    ("adi-se", {"similarity": "cosine", "temperature": 0.2}),
    ("adi-paper", {}),
    ("dnn-single", {"similarity": "cosine", "popularity_prior": False}),
    ("ple", {"popularity_prior": False}),
    ("star", {}),
]


def made(dataset, name, settings):
    torch.manual_seed(0)
    model = MODELS[name].build(dataset, settings_for(MODELS[name], settings).model)
    with torch.no_grad():
        for parameter in model.parameters():  # much starts alike
            parameter.add_(torch.randn_like(parameter), alpha=0.3)
    return model


def alone(model, dataset, name, number, options):
    """A model without sets that has the weights of one of them."""
    lone = made(dataset, name, LONE | options)
    own = {}
    for place, tensor in model.state_dict().items():
        of_set = re.search(r"\.of_set\.(\d)", place)
        if of_set is None or int(of_set[1]) == number:
            own[re.sub(r"\.of_set\.\d", "", place)] = tensor
    own["tables.weight"] = own["tables.weight"][:, 2 * number : 2 * number + 2]
    lone.load_state_dict(own)
    return lone


@pytest.fixture
def batch(dataset):
    loader = Loader(dataset, batch_size=99, sampler=negative_sampler(dataset, in_batch=True, uniform=99))
    return loader.batch(dataset.rows("train"), np.random.default_rng(0))


@pytest.mark.parametrize(("name", "options"), VARIANTS)
def test_a_score_is_the_mean_of_the_sets_scores(dataset, name, options):
    model = made(dataset, name, TOGETHER | options)
    queries = dataset.queries("test", dataset.rows("test")[:1])
    domain, items = int(queries.domains[0]), dataset.corpora.retrievable(int(queries.domains[0]))
    scores = [
        VectorScorer(one, dataset).against(domain, items)(queries)
        for one in (model, *(alone(model, dataset, name, number, options) for number in range(SETS)))
    ]
    torch.testing.assert_close(scores[0], torch.stack(scores[1:]).mean(0))
    assert not torch.allclose(scores[1], scores[2], atol=0.01)


@pytest.mark.parametrize(("name", "options"), VARIANTS)
def test_each_set_is_trained_by_itself(dataset, batch, name, options):
    """The loss is the mean of theirs, and no set's gradient knows of the others."""
    model = made(dataset, name, TOGETHER | options)
    loss = batch_loss(model, batch, sampled_softmax)
    loss.backward()
    losses = []
    for number in range(SETS):
        lone = alone(model, dataset, name, number, options)
        losses.append(batch_loss(lone, batch, sampled_softmax))
        losses[-1].backward()
        expected = dict(lone.named_parameters())
        for place, parameter in model.named_parameters():
            if f".of_set.{number}." in place and parameter.grad is not None:
                other = expected[place.replace(f".of_set.{number}", "")].grad
                torch.testing.assert_close(parameter.grad, other / SETS)
    torch.testing.assert_close(loss, torch.stack(losses).mean())


def test_mind_keeps_each_sets_part_of_every_interest(dataset):
    model = made(dataset, "mind", TOGETHER | {"interests": 2})
    users, items = torch.randn(4, 3 * SETS + 1), torch.randn(6, 3 * SETS + 1)
    sets = list(model.by_set(users, items))
    assert [(len(user), len(item), user.shape[1]) for user, item in sets] == [(4, 6, 4)] * SETS
    torch.testing.assert_close(torch.stack([u @ v.T for u, v in sets]).mean(0), users @ items.T)


def everywhere(model, dataset):
    return ScorerByDomain([VectorScorer(model, dataset)] * 3)


@pytest.mark.parametrize("side", ["user", "item"])
def test_what_a_domain_looks_at_is_the_mean_over_the_sets(dataset, side):
    model = made(dataset, "adi-se", TOGETHER)
    found = interests(everywhere(model, dataset), dataset)[side].weights
    each = [
        interests(everywhere(alone(model, dataset, "adi-se", number, {}), dataset), dataset)[side].weights
        for number in range(SETS)
    ]
    assert found == pytest.approx(np.mean(each, axis=0), abs=1e-6)
    assert np.abs(each[0] - each[1]).max() > 0.01


def test_a_feature_is_zeroed_in_every_set(dataset):
    by_domain = everywhere(made(dataset, "adi-se", TOGETHER), dataset)
    scorer, items = by_domain.scorers[0], dataset.corpora.retrievable(0)
    whole = scorer.item_vectors(0, items)[:, : 3 * SETS]
    assert len(weighted_features(by_domain, "item")) == 3
    with zeroed(by_domain, "item", 0):
        without = scorer.item_vectors(0, items)[:, : 3 * SETS]
    changed = (whole != without).any(0).view(SETS, 3).any(1)
    assert changed.all()


def test_a_model_has_one_set_or_more():
    with pytest.raises(AdiError, match="1 or more"):
        settings_for(MODELS["adi-se"], {"embedding_sets": 0})
