import torch

from adi.nn.feature_sum import FeatureSum

X = torch.tensor([[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], [[0.0, 1.0], [1.0, 0.0], [2.0, 2.0]]]).repeat(2, 1, 1)[:3]


def test_starts_as_the_plain_sum():
    for num_domains, shrinkage in ((1, False), (2, False), (2, True)):
        layer = FeatureSum(3, 2, 2, num_domains, shrinkage=shrinkage)
        torch.testing.assert_close(layer(X, (0, 1, 3)), torch.tensor([[9.0, 12.0], [3.0, 3.0], [9.0, 12.0]]))


def test_each_domain_has_its_own_weights():
    layer = FeatureSum(3, 2, 2, num_domains=2)
    with torch.no_grad():
        layer.weight.values[0].copy_(torch.tensor([1.0, 0.0, -1.0]))
        layer.weight.values[1].copy_(torch.tensor([0.5, 2.0, 0.0]))
    # the first sample is of domain 0: F_1 - F_3; the others of domain 1: F_1 / 2 + 2 F_2
    torch.testing.assert_close(layer(X, (0, 1, 3)), torch.tensor([[-4.0, -4.0], [2.0, 0.5], [6.5, 9.0]]))


def test_one_domain_shares_the_weights_among_all():
    layer = FeatureSum(3, 2, 2)
    with torch.no_grad():
        layer.weight.values[0].copy_(torch.tensor([1.0, 0.0, -1.0]))
    torch.testing.assert_close(layer(X, (0, 1, 1, 3)), torch.tensor([[-4.0, -4.0], [-2.0, -1.0], [-4.0, -4.0]]))


def test_another_size_is_a_projection_of_the_sum():
    layer = FeatureSum(3, 2, 4, num_domains=3, shrinkage=True)
    with torch.no_grad():
        layer.project.weight.copy_(torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [0.0, -2.0]]))
    expected = torch.tensor([[9.0, 12.0, 21.0, -24.0], [3.0, 3.0, 6.0, -6.0], [9.0, 12.0, 21.0, -24.0]])
    torch.testing.assert_close(layer(X, (0, 2, 2, 3)), expected)
    assert layer.project.bias is None


def test_gradients_reach_the_present_domains_only():
    layer = FeatureSum(3, 2, 2, num_domains=3, shrinkage=True)
    layer(X, (0, 1, 1, 3)).sum().backward()
    assert [delta.grad is None for delta in layer.weight.deltas] == [False, True, False]
    torch.testing.assert_close(layer.weight.deltas[0].grad, torch.tensor([3.0, 7.0, 11.0]))
    assert layer.weight.shared.grad is not None
