"""What a sample costs in a model: its own domain's networks and the shared ones, however many domains there are."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from adi.models.catalog import MODELS
from adi.models.model import TrainedModel
from adi.training.settings import settings_for

F, E, ROWS = 5, 6, 24
ROUTING = [  # all models with networks but one
    name
    for name, model in MODELS.items()
    if isinstance(model, TrainedModel) and name != "cross-stitch" and settings_for(MODELS[name]).model.networks
]


def multiplications(name, num_domains, **options):
    """Of a forward and a backward pass of a tower's network, for the same number of rows whatever the domains."""
    settings = settings_for(MODELS[name], {"embedding_dim": E, "dim": 7, "networks": (9, 8)} | options).model
    backbone = MODELS[name].backbone(F, num_domains, settings)
    x, f_domain = torch.randn(ROWS, F, E, requires_grad=True), torch.randn(ROWS, E, requires_grad=True)
    offsets = tuple(ROWS * d // num_domains for d in range(num_domains + 1))
    with FlopCounterMode(display=False) as counter:
        backbone(x, f_domain, offsets).sum().backward()
    return counter.get_total_flops()


@pytest.mark.parametrize("name", ROUTING)
def test_a_samples_cost_does_not_grow_with_the_domains(name):
    options = {"experts": 3} if name == "mmoe" else {}
    few, many = (multiplications(name, num_domains, **options) for num_domains in (2, 12))
    assert few == many > 0


def test_in_cross_stitch_it_does():
    """By its nature: every sample runs the networks of all domains."""
    few, many = (multiplications("cross-stitch", num_domains) for num_domains in (2, 12))
    assert many > 5 * few


def test_in_mmoe_it_grows_with_the_experts_of_which_the_default_has_one_more_than_domains():
    assert multiplications("mmoe", 3) == multiplications("mmoe", 3, experts=4)
    assert multiplications("mmoe", 3, experts=8) > 1.5 * multiplications("mmoe", 3, experts=4)
