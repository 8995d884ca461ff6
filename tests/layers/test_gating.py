import pytest
import torch

from adi.errors import AdiError
from adi.layers.gating import SharedGate

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
