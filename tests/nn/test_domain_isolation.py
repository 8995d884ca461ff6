"""The contract of every domain-specific layer: a batch of one domain leaves all other domains as they were."""

import pytest
import torch

from adi.nn.domain_linear import DomainLinear
from adi.nn.domain_norm import DomainNorm
from adi.nn.domain_parameter import DomainParameter
from adi.nn.fusion import ConcatFusion, SumFusion
from adi.nn.gating import DomainGate
from adi.nn.interest_adaptation import AttentionAdaptation, LinearAdaptation, SEAdaptation
from adi.nn.mlp import MLP, DomainMLP
from adi.nn.network_mul import NetworkMulLinear

D, ROWS, F, E, DIM = 3, 7, 4, 3, 6

LAYERS = {
    "linear": lambda s: DomainLinear(DIM, 5, D, shrinkage=s),
    "norm": lambda s: DomainNorm(DIM, D, shrinkage=s),
    "mlp": lambda s: DomainMLP(DIM, (5, 4), num_domains=D, shrinkage=s),
    "mlp with domain norm": lambda s: DomainMLP(DIM, (5, 4), norm="domain", num_domains=D, shrinkage=s),
    "mlp with batch norm": lambda s: DomainMLP(DIM, (5, 4), norm="batch", num_domains=D, shrinkage=s),
    "network-mul": lambda s: NetworkMulLinear(DIM, 5, D, shrinkage=s),
    "network-mul mlp": lambda s: DomainMLP(DIM, (5, 4), num_domains=D, shrinkage=s, linear=NetworkMulLinear),
    "gate": lambda _: DomainGate(DIM, 4, D),
    "linear adaptation": lambda s: LinearAdaptation(F, E, D, shrinkage=s),
    "attention adaptation": lambda s: AttentionAdaptation(F, E, D, shrinkage=s),
    "se adaptation": lambda s: SEAdaptation(F, D, shrinkage=s),
    "concat fusion": lambda s: ConcatFusion(DIM, E, D, shrinkage=s),
    "vector concat fusion": lambda s: ConcatFusion(DIM, E, D, gate="vector", shrinkage=s),
    "sum fusion": lambda s: SumFusion(DIM, E, D, shrinkage=s),
}
SHARED_LAYERS = {
    "shared mlp": lambda _: MLP(DIM, (5, 4), num_domains=D),
    "shared mlp with batch norm": lambda _: MLP(DIM, (5, 4), norm="batch", num_domains=D),
    "shared mlp with domain norm": lambda _: MLP(DIM, (5, 4), norm="domain", num_domains=D),
    "global se adaptation": lambda _: SEAdaptation(F, D, per_domain=False),
}


def inputs(layer, device="cpu"):
    if isinstance(layer, ConcatFusion | SumFusion):
        shapes = [(ROWS, DIM), (ROWS, DIM), (ROWS, E)]
    elif isinstance(layer, LinearAdaptation | AttentionAdaptation | SEAdaptation):
        shapes = [(ROWS, F, E)]
    else:
        shapes = [(ROWS, DIM)]
    return [torch.randn(shape, device=device) for shape in shapes]


def of_domain(layer, domain):
    """The parameters of one domain by name, of the literal form or the deltas."""
    return {
        f"{name}.{domain}": (module.values if module.shared is None else module.deltas)[domain]
        for name, module in layer.named_modules()
        if isinstance(module, DomainParameter) and len(list(module.parameters())) >= D
    }


def statistics(layer, domain):
    return {name: buffer[domain].clone() for name, buffer in layer.named_buffers() if len(buffer) == D}


def step(layer, optimizer, offsets):
    optimizer.zero_grad()
    result = layer(*inputs(layer), offsets)
    (result * torch.randn(result.shape)).sum().backward()
    optimizer.step()


@pytest.mark.parametrize("offsets", [[0, 0, ROWS, ROWS], [0, 0, 1, ROWS]], ids=["one domain", "two domains"])
@pytest.mark.parametrize("shrinkage", [False, True], ids=["literal", "shrinkage"])
@pytest.mark.parametrize("name", LAYERS)
def test_absent_domains_keep_weights_statistics_and_optimizer_state(name, shrinkage, offsets):
    torch.manual_seed(0)
    layer = LAYERS[name](shrinkage)
    optimizer = torch.optim.AdamW(layer.parameters(), lr=0.1, weight_decay=0.5)
    for _ in range(2):  # moments of every domain first: else an absent domain would trivially have none to move
        step(layer, optimizer, [0, 2, 4, ROWS])
    absent = [d for d in range(D) if offsets[d] == offsets[d + 1]]
    present = [d for d in range(D) if d not in absent]
    weights = {d: {name: p.detach().clone() for name, p in of_domain(layer, d).items()} for d in range(D)}
    states = {
        d: {name: {k: v.clone() for k, v in optimizer.state[p].items()} for name, p in of_domain(layer, d).items()}
        for d in range(D)
    }
    buffers = {d: statistics(layer, d) for d in range(D)}

    step(layer, optimizer, offsets)

    assert absent
    assert weights[0]
    for d in absent:
        for name, p in of_domain(layer, d).items():
            assert p.grad is None, name
            assert torch.equal(p, weights[d][name]), name
            assert states[d][name].keys() == {"step", "exp_avg", "exp_avg_sq"}
            for key, value in states[d][name].items():
                assert torch.equal(optimizer.state[p][key], value), (name, key)
        for name, value in statistics(layer, d).items():
            assert torch.equal(value, buffers[d][name]), name
    for d in present:
        for name, p in of_domain(layer, d).items():
            assert p.grad is not None, name
            assert not torch.equal(p, weights[d][name]), name
        for name, value in statistics(layer, d).items():
            assert torch.equal(value, buffers[d][name]) == (offsets[d + 1] - offsets[d] < 2), name


@pytest.mark.parametrize("name", LAYERS)
def test_a_batch_equals_each_domains_rows_alone(name):
    torch.manual_seed(0)
    layer = LAYERS[name](False).eval()
    with torch.no_grad():
        for tensor in (*layer.parameters(), *layer.buffers()):
            tensor.uniform_(0.5, 1.5)  # attention and SE start alike in every domain, and must not stay so here
    offsets = [0, 2, 2, ROWS]
    tensors = inputs(layer)
    whole = layer(*tensors, offsets)
    first = layer(*(tensor[:2] for tensor in tensors), [0, 2, 2, 2])
    last = layer(*(tensor[2:] for tensor in tensors), [0, 0, 0, ROWS - 2])
    torch.testing.assert_close(whole, torch.cat((first, last)))
    other = layer(*(tensor[2:] for tensor in tensors), [0, ROWS - 2, ROWS - 2, ROWS - 2])
    assert not torch.allclose(whole[2:], other)


@pytest.mark.parametrize("name", LAYERS | SHARED_LAYERS)
def test_layers_run_on_any_device_without_reading_values_back(name):
    """On the meta device tensors have no values, so that reading one back (.item(), a comparison, numpy) raises."""
    layer = (LAYERS | SHARED_LAYERS)[name](False).to("meta")
    result = layer(*inputs(layer, device="meta"), [0, 2, 2, ROWS])
    result.sum().backward()
    assert result.device.type == "meta"
    assert result.shape[0] == ROWS
