import pytest
import torch

from adi.nn.dropout import Dropout


def dropped(x, p=0.25, seed=0):
    torch.manual_seed(seed)
    return Dropout(p).train()(x)


def test_in_training_values_are_zeroed_or_scaled_and_nothing_else():
    x = torch.arange(1.0, 100_001)
    y = dropped(x)
    assert torch.equal(y, torch.where(y == 0, 0.0, x * (4 / 3)))
    assert (y == 0).double().mean().item() == pytest.approx(0.25, abs=0.007)  # five standard deviations


def test_neighbours_that_share_a_draw_are_zeroed_independently():
    zero = (dropped(torch.ones(25_000, 4), p=0.5) == 0).double()
    together = zero.T @ zero / len(zero)  # (4, 4)
    off_diagonal = together[~torch.eye(4, dtype=torch.bool)]
    torch.testing.assert_close(off_diagonal, torch.full_like(off_diagonal, 0.25), rtol=0, atol=0.016)


def test_the_mean_stays_where_p_is_no_multiple_of_the_resolution():
    layer = Dropout(1e-5)  # rounds to 1 / 65,536
    assert layer.dropped == 1
    assert layer(torch.ones(8)).max().item() == pytest.approx(65_536 / 65_535)


def test_the_gradient_goes_through_what_was_kept():
    x = torch.ones(3, 5, requires_grad=True)
    y = dropped(x, p=0.5)
    y.sum().backward()
    assert torch.equal(x.grad, y.detach())


@pytest.mark.parametrize("shape", [(), (1,), (3, 5, 7), (0, 4)])
def test_any_shape(shape):
    assert dropped(torch.ones(shape)).shape == shape


def test_strided_input_is_masked_where_it_is():
    x = torch.arange(1.0, 13).view(3, 4)
    assert torch.equal(dropped(x.T.contiguous().T, p=0.5), dropped(x, p=0.5))


def test_the_seed_decides():
    x = torch.ones(1000)
    assert torch.equal(dropped(x, seed=3), dropped(x, seed=3))
    assert not torch.equal(dropped(x, seed=3), dropped(x, seed=4))


def test_outside_training_and_at_zero_it_is_the_identity_and_draws_nothing():
    x = torch.ones(5)
    state = torch.get_rng_state()
    assert Dropout(0.9).eval()(x) is x
    assert Dropout(0.0).train()(x) is x
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("p", [-0.1, 1.0, 1.5])
def test_a_probability_that_leaves_nothing_is_refused(p):
    with pytest.raises(ValueError, match=f"p is {p}; it must be at least 0 and less than 1"):
        Dropout(p)
