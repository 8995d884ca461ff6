import math

import pytest
import torch

from adi.errors import AdiError
from adi.nn.gating import DomainGate, SharedGate, mix

# The raw outputs of the gate below for these embeddings are (1, 2, 1), (0, 3, 1) and (-1, 1, 4).
F_DOMAIN = [[1.0, 1.0], [0.0, 2.0], [-1.0, 0.0]]


def gate(kind):
    layer = SharedGate(2, 3, kind=kind)
    with torch.no_grad():
        layer.linear.weight.copy_(torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, -1.0]]))
        layer.linear.bias.copy_(torch.tensor([0.0, 1.0, 3.0]))
    return layer


def test_linear_gate_divides_raw_outputs_by_their_sum():
    expected = torch.tensor([[0.25, 0.5, 0.25], [0.0, 0.75, 0.25], [-0.25, 0.25, 1.0]])
    torch.testing.assert_close(gate("linear")(torch.tensor(F_DOMAIN)), expected)


def test_softmax_gate_is_the_softmax_of_raw_outputs():
    e = torch.e
    expected = torch.tensor(
        [
            [1 / (2 + e), e / (2 + e), 1 / (2 + e)],
            [1 / (1 + e**3 + e), e**3 / (1 + e**3 + e), e / (1 + e**3 + e)],
            [1 / (1 + e**2 + e**5), e**2 / (1 + e**2 + e**5), e**5 / (1 + e**2 + e**5)],
        ]
    )
    torch.testing.assert_close(gate("softmax")(torch.tensor(F_DOMAIN)), expected)


@pytest.mark.parametrize("kind", ["softmax", "linear"])
def test_one_network_gets_weight_one(kind):
    torch.manual_seed(0)
    torch.testing.assert_close(SharedGate(2, 1, kind=kind)(torch.tensor(F_DOMAIN)), torch.ones(3, 1))


def test_the_default_is_softmax():
    assert SharedGate(2, 3).kind == "softmax"


def test_an_unknown_kind_is_refused_with_the_known_ones():
    with pytest.raises(AdiError, match=r"'softmx' is not one of softmax, linear\. Did you mean 'softmax'\?"):
        SharedGate(2, 3, kind="softmx")


def test_domain_gate_is_the_softmax_of_its_own_domains_outputs():
    gate = DomainGate(2, num_networks=3, num_domains=4)  # B = 5, the third domain has two rows, the second none
    weights = [
        [[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]],
        [[9.0] * 2] * 3,
        [[0.0, 1.0], [0.0, 0.0], [0.0, 1.0]],
        [[0.0] * 2] * 3,
    ]
    with torch.no_grad():
        for d in range(4):
            gate.linear.weight(d).copy_(torch.tensor(weights[d]))
    l2, l3 = math.log(2.0), math.log(3.0)
    x = torch.tensor([[l2, l3], [l3, 0.0], [5.0, l3], [0.0, l2], [7.0, -7.0]])
    # e to the raw outputs: (2 3 1) (3 1 1) in domain 0; (3 1 3) (2 1 2) in domain 2; (1 1 1) in domain 3
    expected = [[2 / 6, 3 / 6, 1 / 6], [3 / 5, 1 / 5, 1 / 5], [3 / 7, 1 / 7, 3 / 7], [2 / 5, 1 / 5, 2 / 5], [1 / 3] * 3]
    torch.testing.assert_close(gate(x, [0, 2, 2, 4, 5]), torch.tensor(expected))
    assert gate.linear.bias is None


def test_a_mix_is_the_weighted_sum_of_each_samples_outputs():
    weights = torch.tensor([[0.25, 0.75, 0.0], [1.0, -2.0, 3.0]])  # B = 2, n = 3, dim = 4
    outputs = [
        torch.tensor([[4.0, 8.0, 0.0, 1.0], [1.0, 0.0, 2.0, 3.0]]),
        torch.tensor([[4.0, 0.0, 8.0, 1.0], [1.0, 1.0, 0.0, -1.0]]),
        torch.tensor([[9.0, 9.0, 9.0, 9.0], [2.0, 0.0, 1.0, 1.0]]),
    ]
    expected = torch.tensor([[4.0, 2.0, 6.0, 1.0], [5.0, -2.0, 5.0, 8.0]])
    torch.testing.assert_close(mix(weights, outputs), expected)


def test_a_mix_needs_a_weight_for_each_output():
    with pytest.raises(ValueError, match="zip"):
        mix(torch.ones(2, 3), [torch.ones(2, 4)] * 2)
