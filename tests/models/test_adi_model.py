"""The ADI backbone against the paper's equations, written out from its parts for one sample at a time."""

import pytest
import torch

from adi.errors import AdiError
from adi.models.adi import AdiBackbone, AdiSettings
from adi.models.catalog import MODELS
from adi.training.settings import settings_for

F, E, D, DIM = 3, 4, 3, 5
OFFSETS = (0, 2, 2, 6)


def backbone(**options):
    torch.manual_seed(0)
    settings = AdiSettings(embedding_dim=E, dim=DIM, networks=(6,), dropout=0.0, **options)
    made = AdiBackbone(F, D, settings).eval()
    with torch.no_grad():
        for parameter in made.parameters():  # adaptation, deltas and residual start alike in every domain
            parameter.add_(torch.randn_like(parameter), alpha=0.3)
    return made


def inputs():
    generator = torch.Generator().manual_seed(1)
    return torch.randn(6, F, E, generator=generator), torch.randn(6, E, generator=generator)


def linear(layer, domain, x):
    """A `DomainLinear` for one sample."""
    y = layer.weight(domain) @ x
    return y if layer.bias is None else y + layer.bias(domain)


def by_the_equations(made, x, f_domain, domain):
    z = x.mean(1)  # (F,), eq. 25
    if made.in_specific is None:
        hidden = linear(made.adaptation.squeeze, domain, z).relu()
        x = x * linear(made.adaptation.excite, domain, hidden)[:, None]  # eq. 26

    def in_front(block, which):
        if block is None:
            return x.flatten()
        return (x * linear(block.excite, which, linear(block.squeeze, which, x.mean(1)).relu())[:, None]).flatten()

    raw = made.gate.linear.weight @ f_domain + made.gate.linear.bias
    alpha = raw.exp() / raw.exp().sum()  # eq. 8, softmax
    shared = sum(
        weight * (network.linears[0].weight @ in_front(block, 0) + network.linears[0].bias).relu()
        for weight, network, block in zip(
            alpha, made.shared, list(made.in_shared) or [None] * len(made.shared), strict=True
        )
    )  # eq. 9
    specific = linear(made.specific.linears[0], domain, in_front(made.in_specific, domain)).relu()  # eq. 10
    first = linear(made.fusion.specific_gate, domain, f_domain).sigmoid()  # eq. 11
    second = linear(made.fusion.shared_gate, domain, f_domain).sigmoid()  # eq. 12
    fused = torch.cat([first * specific, first * specific * second * shared, second * shared])  # eq. 13
    output = linear(made.output, domain, fused)  # eq. 18
    if made.residual is not None:
        output = output + made.residual.project((made.residual.weight(domain)[:, None] * x).sum(0))
    return output


@pytest.mark.parametrize("shrinkage", [True, False])
@pytest.mark.parametrize("adaptation", ["se", "se-network"])
@pytest.mark.parametrize("residual", [True, False])
@pytest.mark.parametrize("shared_networks", [1, 3])
def test_equals_the_equations(shrinkage, adaptation, residual, shared_networks):
    made = backbone(
        shrinkage=shrinkage,
        adaptation=adaptation,
        residual=residual,
        shared_networks=shared_networks,
        fusion="concat",
        fusion_gate="scalar",
        gate="softmax",
        norm="none",
        se_sigmoid=False,
    )
    x, f_domain = inputs()
    expected = [by_the_equations(made, x[i], f_domain[i], 0 if i < 2 else 2) for i in range(6)]
    torch.testing.assert_close(made(x, f_domain, OFFSETS), torch.stack(expected))


def multiplied(layer, domain, x):
    """A `NetworkMulLinear` for one sample."""
    return (layer.weight * layer.factor(domain)) @ x + layer.bias + layer.term(domain)


@pytest.mark.parametrize("shrinkage", [True, False])
@pytest.mark.parametrize("adaptation", ["none", "se-network"])
def test_network_mul_equals_the_equations(shrinkage, adaptation):
    made = backbone(fusion="network-mul", shrinkage=shrinkage, adaptation=adaptation, residual=True, norm="none")
    assert not made.shared
    assert made.fusion is None
    x, f_domain = inputs()
    expected = []
    for row, domain in enumerate((0, 0, 2, 2, 2, 2)):
        features = x[row]
        if adaptation == "se-network":
            block = made.in_specific
            hidden = linear(block.squeeze, domain, features.mean(1)).relu()
            features = features * linear(block.excite, domain, hidden)[:, None]
        hidden = multiplied(made.specific.linears[0], domain, features.flatten()).relu()  # eq. 16, 17
        summed = (made.residual.weight(domain)[:, None] * x[row]).sum(0)
        expected.append(linear(made.output, domain, hidden) + made.residual.project(summed))
    torch.testing.assert_close(made(x, f_domain, OFFSETS), torch.stack(expected))


def test_network_mul_has_one_shared_network_or_is_refused():
    message = r"model\.fusion: network-mul multiplies .* by one shared network, and shared_networks is 2\. Set shared"
    for name, options in (("adi-se", {"fusion": "network-mul"}), ("star", {})):
        assert settings_for(MODELS[name], options).model.fusion == "network-mul"
        with pytest.raises(AdiError, match=message):
            settings_for(MODELS[name], options | {"shared_networks": 2})


def test_there_are_d_plus_k_networks_of_one_size():
    made = backbone(shared_networks=2, shrinkage=False, residual=False, adaptation="none", norm="none")
    sizes = [sum(p.numel() for p in network.parameters()) for network in made.shared]
    assert sizes == [F * E * 6 + 6] * 2
    assert sum(p.numel() for p in made.specific.parameters()) == D * sizes[0]


def test_the_adaptation_weighs_the_residual_path_too():
    made = backbone(adaptation="linear", residual=True, norm="none")
    x, f_domain = inputs()
    with torch.no_grad():
        without = made(x, f_domain, OFFSETS)
        made.output.weight.shared.zero_()
        made.output.bias.shared.zero_()
        for delta in (*made.output.weight.deltas, *made.output.bias.deltas):
            delta.zero_()
        alone = made(x, f_domain, OFFSETS)
    assert not torch.allclose(without, alone)
    torch.testing.assert_close(alone, made.residual(made.adaptation(x, OFFSETS), OFFSETS))
