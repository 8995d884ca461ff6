import pytest
import torch

from adi.nn.mlp import DomainMLP
from adi.nn.network_mul import NetworkMulLinear

X = [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0], [7.0, 8.0], [9.0, 10.0]]
OFFSETS = [0, 2, 2, 5]  # D = 3, B = 5, 2 -> 4


def fill(parameter, value):
    with torch.no_grad():
        parameter.copy_(torch.tensor(value))


def layer(**options):
    made = NetworkMulLinear(2, 4, 3, **options)
    fill(made.weight, [[1.0, 2.0], [0.0, 1.0], [1.0, 0.0], [-1.0, 1.0]])
    fill(made.bias, [0.0, 10.0, 0.0, 1.0])
    return made


def test_each_domain_multiplies_the_shared_weight_and_adds_to_the_shared_bias():
    made = layer()
    fill(made.factor(0), [[2.0, 1.0], [9.0, 1.0], [-1.0, 9.0], [1.0, 0.0]])  # W: (2 2) (0 1) (-1 0) (-1 0)
    fill(made.term(0), [1.0, 0.0, 0.0, 0.0])
    fill(made.factor(1), [[9.0, 9.0]] * 4)
    fill(made.factor(2), [[0.0, 0.5], [9.0, 2.0], [1.0, 9.0], [1.0, 1.0]])  # W: (0 1) (0 2) (1 0) (-1 1)
    fill(made.term(2), [0.0, -10.0, 0.5, 0.0])
    expected = [
        [7.0, 12.0, -1.0, 0.0],
        [15.0, 14.0, -3.0, -2.0],
        [6.0, 12.0, 5.5, 2.0],
        [8.0, 16.0, 7.5, 2.0],
        [10.0, 20.0, 9.5, 2.0],
    ]
    assert made(torch.tensor(X), OFFSETS).tolist() == expected


@pytest.mark.parametrize("shrinkage", [False, True])
def test_every_domain_starts_with_the_shared_layer(shrinkage):
    made = layer(shrinkage=shrinkage)
    expected = torch.tensor(X) @ made.weight.T + made.bias
    torch.testing.assert_close(made(torch.tensor(X), OFFSETS), expected)


def test_gradients_are_those_of_a_product():
    made = layer()
    fill(made.factor(0), [[2.0, 3.0]] * 4)
    fill(made.factor(2), [[5.0, 0.0]] * 4)
    made(torch.tensor(X), OFFSETS).sum().backward()
    # rows sum to (4 6) in domain 0 and to (21 24) in domain 2; the shared weight gets them times the factors
    assert made.weight.grad.tolist() == [[2 * 4 + 5 * 21.0, 3 * 6.0]] * 4
    assert made.factor(0).grad.tolist() == [[4.0, 12.0], [0.0, 6.0], [4.0, 0.0], [-4.0, 6.0]]
    assert made.factor(1).grad is None
    assert made.factor(2).grad.tolist() == [[21.0, 48.0], [0.0, 24.0], [21.0, 0.0], [-21.0, 24.0]]
    assert made.bias.grad.tolist() == [5.0] * 4
    assert made.term(1).grad is None
    assert made.term(2).grad.tolist() == [3.0] * 4


def test_shrinkage_makes_factors_and_terms_shared_plus_a_delta():
    made = layer(shrinkage=True)
    fill(made.factor.deltas[2], [[-1.0, -0.5], [8.0, 1.0], [0.0, 8.0], [0.0, 0.0]])
    fill(made.term.deltas[2], [0.0, -10.0, 0.5, 0.0])
    assert made(torch.tensor(X), OFFSETS)[2:].tolist() == [[6, 12, 5.5, 2], [8, 16, 7.5, 2], [10, 20, 9.5, 2]]
    names = [name for name, _ in made.named_parameters()]
    assert sum("delta" in name for name in names) == 2 * 3


def test_the_product_is_taken_once_for_each_domain_that_has_rows():
    made = layer()
    calls = []
    made.factor.register_forward_hook(lambda _module, arguments, _output: calls.append(arguments[0]))
    made(torch.tensor(X), OFFSETS)
    assert calls == [0, 2]


def test_a_network_of_such_layers_is_the_shared_network_at_the_start():
    torch.manual_seed(0)
    network = DomainMLP(2, (4, 3), num_domains=3, linear=NetworkMulLinear)
    x = torch.tensor(X)
    for linear in network.linears:
        x = (x @ linear.weight.T + linear.bias).relu()
    torch.testing.assert_close(network(torch.tensor(X), OFFSETS), x)
