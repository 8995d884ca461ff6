import pytest
import torch

from adi.nn.domain_product import SliceParameters, domain_product, domain_product_plain

OFFSETS = [0, 2, 3, 7]


def inputs(*, bias, shared):
    """x, and the parameters of three slices of 2, 1 and 4 rows."""
    torch.manual_seed(0)

    def of_shape(*shape):
        own = [torch.randn(*shape, requires_grad=True) for _ in range(3)]
        return SliceParameters(own, torch.randn(*shape, requires_grad=True) if shared else None)

    return torch.randn(7, 5, requires_grad=True), of_shape(4, 5), of_shape(4) if bias else None


def gradients(parameters):
    if parameters is None:
        return []
    return [own.grad for own in (*parameters.values, parameters.shared) if own is not None]


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shared", [True, False])
def test_it_is_the_plain_one_in_value_and_gradient(bias, shared):
    found = []
    for product in (domain_product, domain_product_plain):
        x, weights, biases = inputs(bias=bias, shared=shared)
        y = product(x, OFFSETS, weights, biases)
        (y * torch.linspace(-1, 2, 28).view(7, 4)).sum().backward()
        found.append([y, x.grad, *gradients(weights), *gradients(biases)])
    assert len(found[0]) == 2 + (3 + shared) * (1 + bias)
    for fast, plain in zip(*found, strict=True):
        torch.testing.assert_close(fast, plain)


def test_a_gradient_that_is_a_view_of_one_number_is_taken_as_it_is():
    x, weights, _ = inputs(bias=False, shared=False)
    domain_product(x, OFFSETS, weights, None).sum().backward()
    for own, rows in zip(weights.values, (slice(0, 2), slice(2, 3), slice(3, 7)), strict=True):
        torch.testing.assert_close(x.grad[rows], own.sum(dim=0).expand_as(x[rows]))


def test_an_input_that_learns_nothing_gets_no_gradient():
    x, weights, biases = inputs(bias=True, shared=True)
    domain_product(x.detach(), OFFSETS, weights, biases).sum().backward()
    assert x.grad is None
    assert weights.values[1].grad is not None
