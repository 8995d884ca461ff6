import math

import pytest
import torch
from torch import nn

from adi.nn.domain_norm import DomainNorm

# Domain 0: rows 0, 1 (means 2, 4; variances 1, 4). Domain 1: none. Domain 2: row 2 alone. Domain 3: rows 3, 4, 5
# (means 20, 5; variances 200 / 3, 6).
X = [[1.0, 6.0], [3.0, 2.0], [7.0, -1.0], [10.0, 5.0], [20.0, 2.0], [30.0, 8.0]]
OFFSETS = [0, 2, 2, 3, 6]


def norm_with_history(**options):
    norm = DomainNorm(2, 4, **options)
    with torch.no_grad():
        norm.running_mean.copy_(torch.tensor([[0.0, 0.0], [1.0, 1.0], [3.0, 1.0], [0.0, 0.0]]))
        norm.running_variance.copy_(torch.tensor([[1.0, 1.0], [2.0, 2.0], [4.0, 16.0], [1.0, 1.0]]))
        for d in range(4):
            norm.scale(d).copy_(torch.tensor([1.0 + d, 10.0]))
            norm.shift(d).copy_(torch.tensor([0.0, float(d)]))
    return norm


def test_training_normalises_each_domain_by_its_own_rows_scale_and_shift():
    norm = norm_with_history(eps=1e-9)
    root = math.sqrt(1.5)  # 10 / √(200 / 3), and 3 / √6
    expected = [
        [-1.0, 10.0],
        [1.0, -10.0],
        [3.0 * (7 - 3) / 2, 10.0 * (-1 - 1) / 4 + 2],  # one row: by the running mean 3, 1 and variance 4, 16
        [-4 * root, 3.0],
        [0.0, 3 - 10 * root],
        [4 * root, 3 + 10 * root],
    ]
    torch.testing.assert_close(norm(torch.tensor(X), OFFSETS), torch.tensor(expected))


def test_training_moves_the_statistics_of_domains_with_two_rows_or_more_only():
    norm = norm_with_history(momentum=0.25)
    norm(torch.tensor(X), OFFSETS)
    # 3/4 old + 1/4 new; the variance divides by n - 1: 2 and 8 for domain 0, 100 and 9 for domain 3.
    assert norm.running_mean.tolist() == [[0.5, 1.0], [1.0, 1.0], [3.0, 1.0], [5.0, 1.25]]
    torch.testing.assert_close(
        norm.running_variance, torch.tensor([[1.25, 2.75], [2.0, 2.0], [4.0, 16.0], [25.75, 3.0]])
    )


def test_inference_uses_the_running_statistics_of_the_domain_and_leaves_them():
    norm = norm_with_history(eps=1e-9).eval()
    before = {name: value.clone() for name, value in norm.state_dict().items()}
    expected = [[1.0, 60.0], [3.0, 20.0], [6.0, -3.0], [40.0, 53.0], [80.0, 23.0], [120.0, 83.0]]
    torch.testing.assert_close(norm(torch.tensor(X), OFFSETS), torch.tensor(expected))
    assert all(torch.equal(value, before[name]) for name, value in norm.state_dict().items())


def test_eps_is_added_to_the_variance():
    norm = DomainNorm(1, 1, eps=3.0)
    result = norm(torch.tensor([[1.0], [3.0]]), [0, 2])
    torch.testing.assert_close(result, torch.tensor([[-0.5], [0.5]]))


def test_a_lone_row_gets_the_gradient_of_the_statistics_it_was_normalised_by():
    norm = DomainNorm(1, 2, eps=1e-9)
    with torch.no_grad():
        norm.running_mean.fill_(4.0)
        norm.running_variance.fill_(0.25)
    x = torch.tensor([[5.0]], requires_grad=True)
    first = norm(x, [0, 1, 1])
    norm(torch.tensor([[0.0], [100.0], [3.0], [9.0]]), [0, 2, 4])  # both domains' statistics move before backward
    first.sum().backward()
    torch.testing.assert_close(x.grad, torch.tensor([[2.0]]))
    torch.testing.assert_close(norm.scale(0).grad, torch.tensor([2.0]))


def test_one_domain_is_ordinary_batch_normalisation_in_value_gradient_and_statistics():
    torch.manual_seed(0)
    ours, theirs = DomainNorm(3, 1), nn.BatchNorm1d(3)
    x = torch.randn(7, 3)
    weight = torch.randn(7, 3)
    gradients = []
    for forward in (lambda x: ours(x, (0, 7)), theirs):
        leaf = x.clone().requires_grad_()
        (forward(leaf) * weight).sum().backward()
        gradients.append(leaf.grad)
    torch.testing.assert_close(gradients[0], gradients[1])
    torch.testing.assert_close(ours.running_mean[0], theirs.running_mean)
    torch.testing.assert_close(ours.running_variance[0], theirs.running_var)
    torch.testing.assert_close(ours.eval()(x, (0, 7)), theirs.eval()(x))


def test_shrinkage_acts_on_scale_and_shift_and_not_on_statistics():
    norm = DomainNorm(2, 3, shrinkage=True)
    assert norm.scale.shared.tolist() == [1.0, 1.0]
    assert norm.shift.shared.tolist() == [0.0, 0.0]
    assert sum("delta" in name for name, _ in norm.named_parameters()) == 6
    assert norm.running_mean.shape == (3, 2)


@pytest.mark.parametrize("training", [True, False])
def test_a_batch_of_no_rows_passes(training):
    norm = norm_with_history().train(training)
    before = norm.running_mean.clone()
    assert norm(torch.zeros(0, 2), [0] * 5).shape == (0, 2)
    assert torch.equal(norm.running_mean, before)
