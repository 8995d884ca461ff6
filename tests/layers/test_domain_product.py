import pytest
import torch

from adi.layers.domain_product import domain_product, domain_product_plain

OFFSETS = [0, 2, 3, 7]


def inputs(*, bias):
    torch.manual_seed(0)
    x = torch.randn(7, 5, requires_grad=True)
    weights = [torch.randn(4, 5, requires_grad=True) for _ in range(3)]
    return x, weights, [torch.randn(4, requires_grad=True) for _ in range(3)] if bias else None


@pytest.mark.parametrize("bias", [True, False])
def test_it_is_the_plain_one_in_value_and_gradient(bias):
    found = []
    for product in (domain_product, domain_product_plain):
        x, weights, biases = inputs(bias=bias)
        y = product(x, OFFSETS, weights, biases)
        (y * torch.linspace(-1, 2, 28).view(7, 4)).sum().backward()
        found.append([y, x.grad, *(own.grad for own in (*weights, *(biases or ())))])
    assert len(found[0]) == (8 if bias else 5)
    for fast, plain in zip(*found, strict=True):
        torch.testing.assert_close(fast, plain)


def test_a_gradient_that_is_a_view_of_one_number_is_taken_as_it_is():
    x, weights, _ = inputs(bias=False)
    domain_product(x, OFFSETS, weights, None).sum().backward()
    for own, rows in zip(weights, (slice(0, 2), slice(2, 3), slice(3, 7)), strict=True):
        torch.testing.assert_close(x.grad[rows], own.sum(dim=0).expand_as(x[rows]))


def test_an_input_that_learns_nothing_gets_no_gradient():
    x, weights, biases = inputs(bias=True)
    domain_product(x.detach(), OFFSETS, weights, biases).sum().backward()
    assert x.grad is None
    assert weights[1].grad is not None
