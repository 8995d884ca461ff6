import pytest
import torch

from adi.nn.domain_linear import DomainLinear


def with_weights(layer, weights, biases):
    with torch.no_grad():
        for d in range(3):
            layer.weight(d).copy_(torch.tensor(weights[d]))
            layer.bias(d).copy_(torch.tensor(biases[d]))
    return layer


WEIGHTS = [[[1.0, 2.0], [0.0, 1.0], [1.0, 0.0]], [[9.0, 9.0]] * 3, [[-1.0, 0.0], [0.0, 2.0], [1.0, 1.0]]]
BIASES = [[0.0, 10.0, 0.0], [9.0, 9.0, 9.0], [100.0, 0.0, 0.0]]
X = [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0], [7.0, 8.0], [9.0, 10.0]]


def test_each_row_meets_the_weights_of_its_own_domain():
    layer = with_weights(DomainLinear(2, 3, 3), WEIGHTS, BIASES)
    expected = [[5, 12, 1], [11, 14, 3], [95, 12, 11], [93, 16, 15], [91, 20, 19]]
    assert layer(torch.tensor(X), [0, 2, 2, 5]).tolist() == expected


def test_gradients_reach_the_input_and_the_own_domains_weights_only():
    layer = with_weights(DomainLinear(2, 3, 3), WEIGHTS, BIASES)
    x = torch.tensor(X, requires_grad=True)
    layer(x, [0, 2, 2, 5]).sum().backward()
    # dy/dx is the column sums of W; dy/dW is the sum of the domain's rows, the same for each output.
    assert x.grad.tolist() == [[2, 3], [2, 3], [0, 3], [0, 3], [0, 3]]
    assert layer.weight(0).grad.tolist() == [[4, 6]] * 3
    assert layer.weight(1).grad is None
    assert layer.weight(2).grad.tolist() == [[21, 24]] * 3
    assert layer.bias(0).grad.tolist() == [2, 2, 2]
    assert layer.bias(1).grad is None
    assert layer.bias(2).grad.tolist() == [3, 3, 3]


def test_without_bias_zero_stays_zero():
    layer = DomainLinear(2, 3, 3, bias=False)
    assert layer(torch.zeros(5, 2), [0, 2, 2, 5]).tolist() == [[0.0] * 3] * 5
    assert len(list(layer.parameters())) == 3


def test_shrinkage_adds_the_domains_delta_to_the_shared_weight_and_bias():
    layer = DomainLinear(2, 1, 3, shrinkage=True)
    with torch.no_grad():
        layer.weight.shared.copy_(torch.tensor([[1.0, 2.0]]))
        layer.bias.shared.fill_(0.5)
        layer.weight.deltas[2].copy_(torch.tensor([[1.0, -2.0]]))
        layer.bias.deltas[2].fill_(0.25)
    assert layer(torch.tensor(X), [0, 2, 2, 5]).flatten().tolist() == [5.5, 11.5, 10.75, 14.75, 18.75]


@pytest.mark.parametrize("shrinkage", [False, True])
def test_weights_start_uniform_within_one_over_root_of_the_input_width(shrinkage):
    torch.manual_seed(0)
    layer = DomainLinear(25, 400, 2, shrinkage=shrinkage)
    for value in (layer.weight(1), layer.bias(1)):
        assert 0.19 < value.abs().max() <= 0.2
        assert value.abs().mean().item() == pytest.approx(0.1, abs=0.01)


def test_given_initialisers_are_used():
    layer = DomainLinear(2, 3, 3, weight_init=torch.nn.init.zeros_, bias_init=torch.nn.init.ones_)
    assert layer(torch.tensor(X), [0, 2, 2, 5]).tolist() == [[1.0] * 3] * 5
