import pytest
import torch
from torch import nn

from adi.nn.domain_parameter import DomainParameter, by_domain, split_by_domain


def test_literal_weights_are_separate_parameters_each_initialised_on_its_own():
    torch.manual_seed(0)
    parameter = DomainParameter((2, 4), 3, shrinkage=False, init=nn.init.normal_)
    values = [parameter(d) for d in range(3)]
    assert [tuple(value.shape) for value in values] == [(2, 4)] * 3
    assert all(isinstance(value, nn.Parameter) for value in values)
    assert not torch.equal(values[0], values[1])
    assert not torch.equal(values[1], values[2])
    assert not any("delta" in name for name, _ in parameter.named_parameters())


def test_shrinkage_starts_every_domain_at_the_shared_weight_and_adds_its_delta():
    torch.manual_seed(0)
    parameter = DomainParameter((2,), 3, shrinkage=True, init=nn.init.normal_)
    shared, *deltas = parameter.parameters()
    assert all(torch.equal(parameter(d), shared) for d in range(3))
    assert shared.abs().min() > 0
    with torch.no_grad():
        shared.copy_(torch.tensor([1.0, 2.0]))
        deltas[1].copy_(torch.tensor([10.0, -3.0]))
    assert [parameter(d).tolist() for d in range(3)] == [[1.0, 2.0], [11.0, -1.0], [1.0, 2.0]]


def test_shrinkage_names_the_deltas_so_that_a_trainer_finds_them():
    parameter = DomainParameter((2,), 3, shrinkage=True, init=nn.init.zeros_)
    names = [name for name, _ in parameter.named_parameters()]
    assert [name for name in names if "delta" in name] == ["deltas.0", "deltas.1", "deltas.2"]
    assert len(names) == 4


def test_shrinkage_gives_the_gradient_of_every_domain_to_the_shared_weight():
    parameter = DomainParameter((2,), 3, shrinkage=True, init=nn.init.zeros_)
    (parameter(0) * 3 + parameter(2) * 5).sum().backward()
    gradients = {name: value.grad for name, value in parameter.named_parameters()}
    assert gradients["shared"].tolist() == [8.0, 8.0]
    assert gradients["deltas.0"].tolist() == [3.0, 3.0]
    assert gradients["deltas.1"] is None
    assert gradients["deltas.2"].tolist() == [5.0, 5.0]


@pytest.mark.parametrize("shrinkage", [False, True])
def test_a_parameter_of_no_domain_is_refused(shrinkage):
    with pytest.raises(ValueError, match="num_domains is 0"):
        DomainParameter((2,), 0, shrinkage=shrinkage, init=nn.init.zeros_)


def test_split_by_domain_gives_each_domain_its_rows():
    x = torch.arange(10.0).reshape(5, 2)
    parts = split_by_domain(x, [0, 2, 2, 5])
    assert [part.tolist() for part in parts] == [[[0, 1], [2, 3]], [], [[4, 5], [6, 7], [8, 9]]]


@pytest.mark.parametrize(
    "offsets", [[0, 2, 4], [0, 2, 6], [1, 2, 5], [0, 3, 2, 5], [0], []], ids=lambda offsets: str(offsets)
)
def test_offsets_that_do_not_cover_the_rows_in_order_are_refused(offsets):
    with pytest.raises(ValueError, match=r"must rise from 0 to the batch's 5 rows") as caught:
        split_by_domain(torch.zeros(5, 2), offsets)
    assert str(offsets) in str(caught.value)


def test_by_domain_calls_only_domains_with_rows_and_keeps_their_order():
    calls = []

    def tens(domain, rows):
        calls.append((domain, rows.start, rows.stop))
        return torch.arange(rows.start, rows.stop) + 10 * domain

    assert by_domain([0, 0, 2, 2, 5], tens).tolist() == [10, 11, 32, 33, 34]
    assert calls == [(1, 0, 2), (3, 2, 5)]


def test_a_batch_of_no_rows_keeps_its_shape_and_gives_no_domain_a_gradient():
    weight = DomainParameter((4,), 3, shrinkage=False, init=nn.init.ones_)
    x = torch.zeros(0, 2, 4)
    parts = split_by_domain(x, [0, 0, 0, 0])
    result = by_domain([0, 0, 0, 0], lambda d, _: parts[d] * weight(d))
    assert result.shape == (0, 2, 4)
    assert not result.requires_grad


@pytest.mark.parametrize("shrinkage", [False, True])
def test_each_row_has_the_weight_of_its_domain_which_gets_the_rows_gradient(shrinkage):
    torch.manual_seed(0)
    parameter = DomainParameter((2,), 4, shrinkage=shrinkage, init=nn.init.normal_)
    with torch.no_grad():
        for own in parameter.parameters():
            own.normal_()
    rows = parameter.of_rows([0, 0, 2, 2, 5])
    torch.testing.assert_close(rows, torch.stack([parameter(1)] * 2 + [parameter(3)] * 3))
    (rows * torch.arange(1.0, 6)[:, None]).sum().backward()
    own = parameter.deltas if shrinkage else parameter.values
    assert own[0].grad is None
    assert own[2].grad is None
    assert own[1].grad.tolist() == [3, 3]
    assert own[3].grad.tolist() == [12, 12]
    assert parameter.shared is None or parameter.shared.grad.tolist() == [15, 15]


def test_no_rows_have_no_weights_and_give_no_gradient():
    rows = DomainParameter((2,), 3, shrinkage=True, init=nn.init.ones_).of_rows([0, 0, 0, 0])
    assert rows.shape == (0, 2)
    assert not rows.requires_grad
