"""DNN-Single against what it stands for: D models of name dnn, each of one domain, side by side."""

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from adi.batch import Batch
from adi.losses import sampled_softmax
from adi.models.catalog import MODELS
from adi.training.loader import Loader, negative_sampler
from adi.training.settings import settings_for
from adi.training.step import batch_loss

SMALL = {"embedding_dim": 4, "dim": 5, "networks": (6,), "embedding_std": 1.0, "dropout": 0.0, "embedding_dropout": 0.0}
ENCODERS = [
    {"behaviours": "mean", "residual": False},
    {"behaviours": "recency", "norm": "batch"},
    {"behaviours": "attention", "popularity_prior": False},
    {"behaviours": "transformer", "similarity": "cosine", "temperature": 0.2, "behaviours_dropout": 0.0},
]


def made(dataset, name="dnn-single", **options):
    torch.manual_seed(0)
    model = MODELS[name].build(dataset, settings_for(MODELS[name], SMALL | options).model)
    with torch.no_grad():
        for parameter in model.parameters():  # much starts alike in every domain
            parameter.add_(torch.randn_like(parameter), alpha=0.3)
    return model


def alone(model, dataset, domain, **options):
    """A model of name dnn with the weights that a domain has in `model`."""
    lone = made(dataset, "dnn", **options)
    own = model.of_domain[domain].state_dict()
    state = {name: own.get(name, tensor) for name, tensor in lone.state_dict().items()}
    for name, first in lone.tables.first.items():
        rows = next((f.rows for f in dataset.manifest.features if f.name == name), 3)
        block = model.tables.first[name] + (0 if name == "domain" else domain * rows)
        state["tables.weight"][first : first + rows] = model.tables.weight[block : block + rows]
    lone.load_state_dict(state)
    assert set(state) == set(own) | {"tables.weight"}
    return lone


def batch_of(dataset, rows):
    loader = Loader(dataset, batch_size=len(rows), sampler=negative_sampler(dataset, in_batch=True, uniform=99))
    return loader.batch(rows, np.random.default_rng(0))


def whole_batch(dataset) -> tuple[Batch, list[Batch]]:
    """All training rows as a batch, and those of each domain as one."""
    rows = dataset.rows("train")
    domains = dataset.targets("train", rows)[2]
    return batch_of(dataset, rows), [batch_of(dataset, rows[domains == domain]) for domain in range(3)]


@pytest.mark.parametrize("options", ENCODERS)
@pytest.mark.parametrize("training", [True, False])
def test_each_domain_has_the_vectors_of_a_dnn_of_its_own(dataset, options, training):
    model = made(dataset, **options).train(training)
    whole, parts = whole_batch(dataset)
    users = model.encode_users(whole.user, whole.user_offsets)
    items = model.encode_items(whole.item, whole.item_offsets, whole.item_log_popularity)
    for domain, part in enumerate(parts):
        lone = alone(model, dataset, domain, **options).train(training)
        rows, columns = (slice(*cuts[domain : domain + 2]) for cuts in (whole.user_offsets, whole.item_offsets))
        torch.testing.assert_close(users[rows], lone.encode_users(part.user, part.user_offsets))
        expected = lone.encode_items(part.item, part.item_offsets, part.item_log_popularity)
        torch.testing.assert_close(items[columns], expected)


@pytest.mark.parametrize("options", ENCODERS)
def test_one_training_is_a_training_of_each_domain_alone(dataset, options):
    """The gradients of a mixed batch are those of each domain's own batch, but for the samples it is averaged over."""
    model = made(dataset, **options).train()
    whole, parts = whole_batch(dataset)
    batch_loss(model, whole, sampled_softmax).backward()
    mixed = dict(model.named_parameters())
    rows = torch.zeros_like(model.tables.weight)
    for touched, source in model.tables.touched:
        rows.index_add_(0, touched, source.grad)
    for domain, part in enumerate(parts):
        lone = alone(model, dataset, domain, **options).train()
        batch_loss(lone, part, sampled_softmax).backward()
        share = part.size / whole.size
        for name, parameter in lone.named_parameters():
            if parameter.requires_grad:
                own = mixed[f"of_domain.{domain}.{name}"].grad
                if own is not None or parameter.grad is not None:  # an encoder, where nobody has a history
                    torch.testing.assert_close(own, parameter.grad * share)
        for touched, source in lone.tables.touched:
            for row, gradient in zip(touched.tolist(), source.grad, strict=True):
                name = max((n for n, first in lone.tables.first.items() if first <= row), key=lone.tables.first.get)
                size = next((f.rows for f in dataset.manifest.features if f.name == name), 3)
                shift = 0 if name == "domain" else domain * size
                place = model.tables.first[name] + shift + row - lone.tables.first[name]
                rows[place] -= gradient * share
    torch.testing.assert_close(rows, torch.zeros_like(rows), atol=1e-6, rtol=0)


def test_everything_is_there_once_for_each_domain(dataset):
    one, many = (
        MODELS[name].count_parameters(dataset, settings_for(MODELS[name], SMALL).model)
        for name in ("dnn", "dnn-single")
    )
    assert many[0] == 3 * one[0]
    assert many[1] == 3 * (one[1] - 3 * 4) + 3 * 4  # the domain indicator has a row for each domain in both


@pytest.mark.parametrize("side", ["user", "item"])
def test_a_samples_cost_does_not_grow_with_the_domains(dataset, side):
    whole, _ = whole_batch(dataset)
    bags, count = (whole.user, 31) if side == "user" else (whole.item, len(whole.item_log_popularity))
    costs = []
    for num_domains in (3, 12):
        settings = settings_for(MODELS["dnn-single"], SMALL).model
        manifest = dataset.manifest
        model = MODELS["dnn-single"].build_towers(
            manifest.side("user", "context"), manifest.side("item"), num_domains, settings
        )
        offsets = tuple(count * d // num_domains for d in range(num_domains + 1))
        domains = torch.repeat_interleave(torch.tensor(offsets).diff())
        given = bags | {"domain": type(bags["domain"])(domains)}
        with FlopCounterMode(display=False) as counter:
            if side == "user":
                model.encode_users(given, offsets).sum().backward()
            else:
                model.encode_items(given, offsets, whole.item_log_popularity).sum().backward()
        costs.append(counter.get_total_flops())
    assert costs[0] == costs[1] > 0
