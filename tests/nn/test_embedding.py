from itertools import chain

import pytest
import torch
from torch import nn

from adi.nn.embedding import EmbeddingTables, Neighbours, bag_of_each, mean_weights

SIZES = {"item": 6, "tag": 4, "domain": 3}


def tables(embedding_dim=2, sizes=SIZES):
    """Row r of the packed matrix holds r, 10 r, 100 r ..."""
    made = EmbeddingTables(sizes, embedding_dim)
    total = sum(sizes.values())
    made.weight.copy_(torch.arange(total)[:, None] * 10.0 ** torch.arange(embedding_dim))
    return made


def bags(*lists):
    return torch.tensor([*chain(*lists)], dtype=torch.int64), torch.tensor([0, *map(len, lists)]).cumsum(0)


def test_pooled_values_by_hand():
    weights = torch.tensor([0.5, 2.0, -1.0])
    x = tables()(
        ["tag", "item", "domain", "item"],
        [bags([0, 3], [], [2]), bags([1, 2], [5], []), (torch.tensor([2, 0, 1]), None), bags([4], [4, 5], [0, 0, 3])],
        [None, weights, None, None],
    )
    # tags are rows 6 to 9, domains rows 10 to 12; of the items the first are summed by weight, the second averaged
    rows = [[7.5, 0.5 * 1 + 2 * 2, 12.0, 4.0], [0.0, -5.0, 10.0, 4.5], [8.0, 0.0, 11.0, 1.0]]
    expected = torch.tensor(rows)[:, :, None] * torch.tensor([1.0, 10.0])  # (3, 4, 2)
    torch.testing.assert_close(x, expected)


def test_single_values_take_weights_too():
    x = tables()(["item"], [(torch.tensor([3, 5]), None)], [torch.tensor([2.0, 0.1])])
    torch.testing.assert_close(x, torch.tensor([[[6.0, 60.0]], [[0.5, 5.0]]]))


def test_samples_without_any_value_are_zero():
    x = tables()(["item", "tag"], [bags([], [], []), bags([], [], [])], [None, None])
    torch.testing.assert_close(x, torch.zeros(3, 2, 2))


def test_bags_and_mean_weights_by_hand():
    offsets = torch.tensor([0, 2, 2, 5])
    assert bag_of_each(offsets, 5).tolist() == [0, 0, 2, 2, 2]
    expected = torch.tensor([1 / 2, 1 / 2, 1 / 3, 1 / 3, 1 / 3], dtype=torch.float64)
    torch.testing.assert_close(mean_weights(offsets, 5, torch.float64), expected)


def test_rows_start_with_the_given_spread_and_are_no_autograd_parameter():
    torch.manual_seed(0)
    made = EmbeddingTables({"a": 300, "b": 100}, 50, std=0.2)
    assert made.weight.shape == (400, 50)
    assert made.weight.std().item() == pytest.approx(0.2, rel=0.02)
    assert not made.weight.requires_grad
    assert list(made.state_dict()) == ["weight"]


class Dense(nn.Module):
    """The same lookups with an `nn.Embedding` for each table and a loop over the bags."""

    def __init__(self, packed):
        super().__init__()
        parts = packed.weight.detach().split(list(SIZES.values()))
        pairs = zip(SIZES, parts, strict=True)
        self.embeddings = nn.ModuleDict({f"of_{n}": nn.Embedding.from_pretrained(w, freeze=False) for n, w in pairs})

    def forward(self, names, chosen, weights):
        pooled = []
        for name, (values, offsets), weight in zip(names, chosen, weights, strict=True):
            rows = self.embeddings[f"of_{name}"](values)
            if offsets is None:
                pooled.append(rows)
                continue
            samples = []
            for start, stop in zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True):
                own = rows[start:stop]
                if weight is not None:
                    samples.append((own * weight[start:stop, None]).sum(0))
                else:
                    samples.append(own.mean(0) if len(own) else own.sum(0))
            pooled.append(torch.stack(samples))
        return torch.stack(pooled, dim=1)


def test_equals_dense_embeddings_in_value_and_gradient():
    torch.manual_seed(0)
    packed = EmbeddingTables(SIZES, 5, std=1.0)
    dense = Dense(packed)
    names = ["item", "tag", "item", "domain"]
    chosen = [bags([1, 1, 4], [], [4], [0, 2]), bags([3], [0, 3], [3, 3], []), bags([4], [2], [], [1, 5, 1])]
    chosen.append((torch.tensor([2, 2, 0, 2]), None))
    weight, target = torch.rand(5), torch.randn(4, 4, 5)
    results, gradients, weights = [], [], []
    for module in (packed, dense):
        own = weight.clone().requires_grad_()
        result = module(names, chosen, [None, None, own, None])
        ((result - target) ** 2).sum().backward()
        results.append(result)
        weights.append(own.grad)
    gradients = torch.cat([embedding.weight.grad for embedding in dense.embeddings.values()])
    ((rows, source),) = packed.touched

    torch.testing.assert_close(*results)
    torch.testing.assert_close(*weights)
    assert rows.tolist() == [0, 1, 2, 4, 5, 6, 9, 10, 12]  # each row of the batch once, and no other
    torch.testing.assert_close(source.grad, gradients[rows])
    others = torch.ones(len(gradients), dtype=torch.bool).index_fill(0, rows, False)
    assert not gradients[others].any()


def test_without_gradients_nothing_is_recorded():
    packed = tables()
    lookup = (["item"], [bags([1], [2, 3])], [None])
    with_gradient = packed(*lookup)
    assert len(packed.touched) == 1
    with torch.no_grad():
        torch.testing.assert_close(packed(*lookup), with_gradient)
    assert len(packed.touched) == 1


def smoothed(embedding_dim=2):
    """Item 1 has the neighbours 0 and 5, item 4 itself alone."""
    rows, weights = torch.arange(6)[:, None].repeat(1, 2), torch.tensor([[1.0, 0.0]]).repeat(6, 1)
    rows[1], weights[1] = torch.tensor([0, 5]), torch.tensor([0.25, 0.75])
    made = EmbeddingTables(
        {"tag": 4, "item": 6, "domain": 3}, embedding_dim, neighbours=Neighbours("item", rows, weights)
    )
    made.weight.copy_(torch.arange(13)[:, None] * 10.0 ** torch.arange(embedding_dim))
    return made


@pytest.mark.parametrize("with_gradient", [True, False])
def test_an_item_is_half_its_neighbours(with_gradient):
    with torch.set_grad_enabled(with_gradient):
        x = smoothed()(
            ["item", "tag", "domain"],
            [bags([1, 4], [], [1]), bags([2], [3, 3], []), (torch.tensor([2, 0, 1]), None)],
            [None, None, None],
        )
    # items are rows 4 to 9: item 1 is row 5, its neighbours rows 4 and 9
    one = 0.5 * 5 + 0.5 * (0.25 * 4 + 0.75 * 9)
    expected = torch.tensor([[(one + 8) / 2, 2.0, 12.0], [0.0, 3.0, 10.0], [one, 0.0, 11.0]])
    torch.testing.assert_close(x.detach(), expected[:, :, None] * torch.tensor([1.0, 10.0]))


def test_neighbours_get_their_share_of_the_gradient_and_are_touched():
    made = smoothed()
    made(["item"], [bags([1, 4])], [torch.tensor([2.0, 6.0])]).sum().backward()
    ((rows, source),) = made.touched
    assert rows.tolist() == [4, 5, 8, 9]
    torch.testing.assert_close(source.grad[:, 0], torch.tensor([0.5 * 0.25 * 2, 0.5 * 2, 6.0, 0.5 * 0.75 * 2]))


def test_neighbours_are_saved_with_the_tables():
    assert set(smoothed().state_dict()) == {"weight", "neighbours", "neighbour_weights"}
    torch.testing.assert_close(smoothed().neighbours[1], torch.tensor([4, 9]))
