import pytest
import torch

from adi.nn.weighted_bags import weighted_bags, weighted_bags_plain


def bags(dtype):
    """Rows looked up many times, once and never; bags that are empty, at both ends and within."""
    torch.manual_seed(0)
    source = torch.randn(6, 5, requires_grad=True)
    index = torch.tensor([3, 3, 0, 5, 3, 1, 0, 3], dtype=dtype)
    starts = torch.tensor([0, 0, 3, 4, 4, 8], dtype=dtype)
    return source, index, starts, torch.rand(8, requires_grad=True)


@pytest.mark.parametrize("dtype", [torch.int32, torch.int64])
def test_it_is_the_plain_one_in_value_and_gradient(dtype):
    found = []
    for function in (weighted_bags, weighted_bags_plain):
        source, index, starts, weights = bags(dtype)
        y = function(source, index, starts, weights)
        (y * torch.linspace(-1, 2, 30).view(6, 5)).sum().backward()
        found.append((y, source.grad, weights.grad))
    assert found[0][0][0].tolist() == found[0][0][5].tolist() == [0.0] * 5
    assert found[0][1][[2, 4]].tolist() == [[0.0] * 5] * 2
    assert found[0][1][3].abs().min() > 0
    for fast, plain in zip(*found, strict=True):
        torch.testing.assert_close(fast, plain)


@pytest.mark.parametrize("learns", [0, 3])
def test_what_learns_nothing_gets_no_gradient(learns):
    source, index, starts, weights = bags(torch.int32)
    given = [source, index, starts, weights]
    given[3 - learns] = given[3 - learns].detach()
    weighted_bags(*given).sum().backward()
    assert given[learns].grad is not None


def test_bags_without_any_value_give_zeros_and_a_gradient_of_zeros():
    source = torch.randn(3, 2, requires_grad=True)
    none = torch.empty(0, dtype=torch.int64)
    y = weighted_bags(source, none, torch.zeros(4, dtype=torch.int64), torch.empty(0))
    y.sum().backward()
    assert y.tolist() == [[0.0, 0.0]] * 4
    assert source.grad.tolist() == [[0.0, 0.0]] * 3
