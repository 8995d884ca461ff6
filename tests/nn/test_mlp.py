import math

import pytest
import torch

from adi.errors import AdiError
from adi.nn.mlp import MLP, DomainMLP

OFFSETS = [0, 2, 2, 5]
X = [[1.0, -1.0], [2.0, 0.0], [0.0, 3.0], [-1.0, 1.0], [4.0, 2.0]]


def fill(parameter, value):
    with torch.no_grad():
        parameter.copy_(torch.tensor(value))


def shared(**options):
    """2 → 3 → 1: relu(a, b, a - b - 1), then the sum of the three less 1/2."""
    network = MLP(2, (3, 1), num_domains=3, **options)
    fill(network.linears[0].weight, [[1.0, 0.0], [0.0, 1.0], [1.0, -1.0]])
    fill(network.linears[0].bias, [0.0, 0.0, -1.0])
    fill(network.linears[1].weight, [[1.0, 1.0, 1.0]])
    fill(network.linears[1].bias, [-0.5])
    return network


def specific(**options):
    """2 → 1 → 2, different for each domain: domain 0 looks at a, domain 2 at b."""
    network = DomainMLP(2, (1, 2), num_domains=3, **options)
    first, second = network.linears
    for d, look in enumerate(([[1.0, 0.0]], [[9.0, 9.0]], [[0.0, 1.0]])):
        fill(first.weight(d), look)
        fill(first.bias(d), [0.0])
        fill(second.weight(d), [[1.0 + d], [-1.0]])
        fill(second.bias(d), [0.0, 1.5])
    return network


def test_shared_network_applies_relu_after_every_layer():
    # hidden: (1 0 1) (2 0 1) (0 3 0) (0 1 0) (4 2 1); the sums less 1/2
    assert shared()(torch.tensor(X), OFFSETS).tolist() == [[1.5], [2.5], [2.5], [0.5], [6.5]]


def test_shared_network_clips_its_last_layer_too():
    assert shared()(torch.tensor([[0.25, 0.0]]), [0, 0, 0, 1]).tolist() == [[0.0]]


def test_domain_network_sends_each_row_through_its_own_domains_layers():
    # hidden: a = 1, 2 in domain 0; b = 3, 1, 2 in domain 2
    expected = [[1.0, 0.5], [2.0, 0.0], [9.0, 0.0], [3.0, 0.5], [6.0, 0.0]]
    assert specific()(torch.tensor(X), OFFSETS).tolist() == expected


@pytest.mark.parametrize("kind", [MLP, DomainMLP])
def test_no_sizes_pass_the_input_through(kind):
    network = kind(2, (), num_domains=3)
    assert network.out_features == 2
    assert network(torch.tensor(X), OFFSETS).tolist() == X


@pytest.mark.parametrize("kind", [MLP, DomainMLP])
def test_out_features_is_the_last_size(kind):
    network = kind(2, (7, 4), norm="domain", num_domains=3)
    assert network.out_features == 4
    assert network(torch.tensor(X), OFFSETS).shape == (5, 4)


def one_layer(kind, norm):
    """1 → 1 with weight 1 and bias 0 everywhere, so that the output is relu(norm(x))."""
    network = kind(1, (1,), norm=norm, num_domains=2)
    linear = network.linears[0]
    weights = [(linear.weight, linear.bias)]
    if kind is DomainMLP:
        weights = [(linear.weight(d), linear.bias(d)) for d in range(2)]
    for weight, bias in weights:
        fill(weight, [[1.0]])
        fill(bias, [0.0])
    return network


@pytest.mark.parametrize("kind", [MLP, DomainMLP])
def test_batch_norm_takes_the_mixed_batch_and_domain_norm_each_domain(kind):
    x = torch.tensor([[0.0], [2.0], [6.0], [12.0], [15.0]])
    # Mixed: mean 7, variance (49 + 25 + 1 + 25 + 64) / 5. By domain: means 1 and 11, variances 1 and 42 / 3.
    mixed = one_layer(kind, "batch")(x, [0, 2, 5]).flatten()
    own = one_layer(kind, "domain")(x, [0, 2, 5]).flatten()
    spread = math.sqrt(32.8)
    torch.testing.assert_close(mixed, torch.tensor([0.0, 0.0, 0.0, 5 / spread, 8 / spread]), atol=1e-4, rtol=0)
    spread = math.sqrt(14)
    torch.testing.assert_close(own, torch.tensor([0.0, 1.0, 0.0, 1 / spread, 4 / spread]), atol=1e-4, rtol=0)


@pytest.mark.parametrize("kind", [MLP, DomainMLP])
@pytest.mark.parametrize("norm", ["batch", "domain"])
def test_a_batch_of_one_row_is_normalised_by_running_statistics(kind, norm):
    # At the start these are mean 0 and variance 1: the row passes.
    network = one_layer(kind, norm)
    torch.testing.assert_close(network(torch.tensor([[3.0]]), [0, 0, 1]), torch.tensor([[3.0]]), atol=1e-4, rtol=0)


@pytest.mark.parametrize("kind", [MLP, DomainMLP])
@pytest.mark.parametrize("norm", ["none", "batch", "domain"])
def test_a_batch_of_no_rows_keeps_the_width(kind, norm):
    assert kind(2, (3, 4), norm=norm, dropout=0.5, num_domains=3)(torch.zeros(0, 2), [0, 0, 0, 0]).shape == (0, 4)


@pytest.mark.parametrize(("build", "survive"), [(shared, 3 / 8), (specific, 1 / 4)])
def test_dropout_follows_every_relu_in_training_and_rests_in_inference(build, survive):
    network = build(dropout=0.5)
    torch.manual_seed(0)
    x = torch.tensor([[1.0, 1.0]]).repeat(4000, 1)
    offsets = [0, 4000, 4000, 4000]
    network.eval()
    assert (network(x, offsets)[:, 0] == (1.5 if build is shared else 1.0)).all()
    network.train()
    dropped = network(x, offsets)
    # At x = (1, 1) the shared network's hidden units are (1, 1, 0), one of which must survive with the output:
    # (1 - 1/4) / 2; the specific one's only unit is 1: 1/2 of 1/2.
    survivors = dropped[:, 0][dropped[:, 0] > 0]
    assert len(survivors) / 4000 == pytest.approx(survive, abs=0.03)
    # Both layers double what survives: 2 (2 + 2 - 1/2), and 2 * 2.
    assert survivors.max() == (7.0 if build is shared else 4.0)


def test_shrinkage_reaches_every_domain_specific_weight():
    network = DomainMLP(2, (3, 1), norm="domain", num_domains=3, shrinkage=True)
    names = [name for name, _ in network.named_parameters()]
    # weight, bias, scale and shift of each of 2 layers: one shared and three deltas each
    assert len(names) == 2 * 4 * 4
    assert sum("delta" in name for name in names) == 2 * 4 * 3
    with torch.no_grad():
        network.linears[0].weight.shared.fill_(5.0)
    assert all((network.linears[0].weight(d) == 5.0).all() for d in range(3))


@pytest.mark.parametrize("kind", [MLP, DomainMLP])
def test_an_unknown_norm_is_refused_with_the_known_ones(kind):
    with pytest.raises(AdiError, match=r"'batchs' is not one of none, batch, domain\. Did you mean 'batch'\?"):
        kind(2, (3,), norm="batchs", num_domains=3)
