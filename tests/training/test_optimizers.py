import pytest
import torch
from torch import nn

from adi.nn.domain_linear import DomainLinear
from adi.nn.embedding import EmbeddingTables
from adi.training.optimizers import RowwiseAdagrad, dense_optimizer

ROWS, E = 7, 3


@pytest.fixture
def tables():
    torch.manual_seed(0)
    return EmbeddingTables({"a": 4, "b": 3}, E, std=1.0)


def look_up(tables, values, gradient):
    """A lookup of table a whose gradient by each looked up value is `gradient`."""
    (tables(["a"], [(torch.tensor(values), None)], [None])[:, 0] * torch.tensor(gradient)).sum().backward()


def test_a_step_by_hand(tables):
    before = tables.weight.clone()
    optimizer = RowwiseAdagrad(tables, lr=0.1, eps=0.0)
    look_up(tables, [2, 0], [[3.0, 0.0, 0.0], [1.0, 1.0, 1.0]])
    optimizer.step()
    # state: the mean square of a row's gradient, 9 / 3 and 3 / 3
    torch.testing.assert_close(optimizer.state, torch.tensor([1.0, 0.0, 3.0, 0.0, 0.0, 0.0, 0.0]))
    moved = tables.weight - before
    torch.testing.assert_close(moved[2], torch.tensor([-0.3 / 3**0.5, 0.0, 0.0]))
    torch.testing.assert_close(moved[0], torch.full((3,), -0.1))
    assert not moved[[1, 3, 4, 5, 6]].any()
    look_up(tables, [2], [[0.0, 0.0, 3.0]])
    optimizer.step()
    torch.testing.assert_close(tables.weight[2] - before[2] - moved[2], torch.tensor([0.0, 0.0, -0.3 / 6**0.5]))


def test_a_row_looked_up_twice_moves_once_with_the_summed_gradient(tables):
    before = tables.weight.clone()
    optimizer = RowwiseAdagrad(tables, lr=1.0, eps=0.0)
    look_up(tables, [1, 1, 3], [[1.0, 0.0, 0.0], [2.0, 0.0, 0.0], [1.0, 1.0, 1.0]])  # in one lookup
    look_up(tables, [1], [[0.0, 4.0, 0.0]])  # and in another before the step
    optimizer.step()
    torch.testing.assert_close(optimizer.state[1], torch.tensor((9 + 16) / 3))
    expected = torch.tensor([-3.0, -4.0, 0.0]) / ((9 + 16) / 3) ** 0.5
    torch.testing.assert_close(tables.weight[1] - before[1], expected)


def test_equals_a_dense_rowwise_adagrad(tables):
    generator = torch.Generator().manual_seed(1)
    weight, state = tables.weight.clone().requires_grad_(), torch.zeros(ROWS)
    first = {"a": 0, "b": 4}
    optimizer = RowwiseAdagrad(tables, lr=0.3)
    for _ in range(5):
        target = torch.randn(6, 2, E, generator=generator)
        values = {"a": torch.randint(4, (6,), generator=generator), "b": torch.randint(2, (6,), generator=generator)}
        x = tables(list(values), [(own, None) for own in values.values()], [None, None])
        ((x - target) ** 2).sum().backward()
        optimizer.step()
        dense = torch.stack([weight[own + first[name]] for name, own in values.items()], dim=1)
        (gradient,) = torch.autograd.grad(((dense - target) ** 2).sum(), weight)
        with torch.no_grad():
            state += gradient.square().mean(1)
            weight -= 0.3 * gradient / (state.sqrt() + 1e-8)[:, None]
        torch.testing.assert_close(tables.weight, weight.detach())
        torch.testing.assert_close(optimizer.state, state)
    assert not optimizer.state[6]  # row 2 of b was never looked up


def test_a_step_forgets_its_gradients(tables):
    optimizer = RowwiseAdagrad(tables, lr=0.1)
    look_up(tables, [2], [[1.0, 2.0, 3.0]])
    optimizer.step()
    moved = tables.weight.clone()
    optimizer.step()
    tables(["a"], [(torch.tensor([2]), None)], [None])  # a lookup that no loss used
    optimizer.step()
    torch.testing.assert_close(tables.weight, moved, rtol=0, atol=0)
    assert not tables.touched


class Model(nn.Module):
    """A feature may be called anything, so that a name must not decide how a weight decays."""

    def __init__(self):
        super().__init__()
        self.tables = EmbeddingTables({"a": 2}, 2)
        self.delta = nn.Linear(2, 3)
        self.own = DomainLinear(2, 3, num_domains=2, shrinkage=True)
        self.literal = DomainLinear(2, 3, num_domains=2)


def groups_of(model: Model, **settings) -> dict[tuple[float, float], list[str]]:
    """The names of the parameters by the learning rate and decay of their group."""
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    groups = dense_optimizer(model, lr=0.2, **settings).param_groups
    return {(g["lr"], g["weight_decay"]): sorted(names[id(p)] for p in g["params"]) for g in groups}


def test_learning_rate_and_decay_of_each_weight():
    assert groups_of(Model(), weight_decay=0.1, delta_lr=[0.05, 0.2]) == {
        (0.05, 0.1): ["own.weight.deltas.0"],
        (0.05, 0.0): ["own.bias.deltas.0"],
        (0.2, 0.1): [
            "delta.weight",
            "literal.weight.values.0",
            "literal.weight.values.1",
            "own.weight.deltas.1",
            "own.weight.shared",
        ],
        (0.2, 0.0): [
            "delta.bias",
            "literal.bias.values.0",
            "literal.bias.values.1",
            "own.bias.deltas.1",
            "own.bias.shared",
        ],
    }


def test_by_default_all_weights_learn_as_fast():
    assert {key: len(names) for key, names in groups_of(Model(), weight_decay=0.0).items()} == {(0.2, 0.0): 12}


def test_the_network_of_a_single_domain_learns_as_all_other_weights():
    lone = DomainLinear(2, 3, num_domains=1, shrinkage=True)
    groups = dense_optimizer(lone, lr=0.2, weight_decay=0.0, delta_lr=[0.1, 0.1, 0.1]).param_groups
    assert [(group["lr"], len(group["params"])) for group in groups] == [(0.2, 4)]


def test_a_rate_for_each_domain():
    with pytest.raises(ValueError, match="zip"):
        dense_optimizer(Model(), lr=0.2, weight_decay=0.0, delta_lr=[0.1])
