"""Encoders of ragged histories: by hand, against a loop over the samples, and what must not matter to a sample."""

import math

import pytest
import torch
from torch.nn import functional

from adi.nn import history_transformer
from adi.nn.behaviours import HistoryAttention, RecencyWeights, ages, softmax_in_bags
from adi.nn.embedding import bag_of_each, mean_weights
from adi.nn.history_transformer import HistoryTransformer, TransformerLayer, one_block, padded_blocks

LENGTH, E = 9, 4
LENGTHS = (3, 0, 1, 9, 2, 5, 4, 0)
"""Of the histories: none, one, both sides of every power of two, the longest."""


def histories(lengths=LENGTHS, seed=0):
    generator = torch.Generator().manual_seed(seed)
    offsets = torch.tensor([0, *lengths]).cumsum(0)
    rows = torch.randn(int(offsets[-1]), E, generator=generator)
    return rows, offsets, torch.randn(len(lengths), E, generator=generator)


def encoder(kind, **options):
    torch.manual_seed(1)
    if kind == "attention":
        made = HistoryAttention(LENGTH, E, **options)
    else:
        made = HistoryTransformer(LENGTH, E, **({"num_layers": 2, "dropout": 0.0} | options))
    with torch.no_grad():
        for parameter in made.parameters():  # what starts at 0 would hide faults
            parameter.add_(torch.randn_like(parameter), alpha=0.5)
    return made.eval()


both = pytest.mark.parametrize("kind", ["attention", "transformer"])


def test_ages_count_from_the_end():
    offsets = torch.tensor([0, 3, 3, 4, 6])
    assert ages(offsets, bag_of_each(offsets, 6)).tolist() == [2, 1, 0, 0, 1, 0]


def test_softmax_in_bags_by_hand_and_of_large_scores():
    scores = torch.tensor([[0.0, 800.0], [math.log(3), 800.0], [-900.0, 2.0], [5.0, -700.0], [5.0, -800.0]])
    weights = softmax_in_bags(scores, torch.tensor([0, 0, 2, 3, 3]), 5)
    torch.testing.assert_close(weights, torch.tensor([[0.25, 0.5], [0.75, 0.5], [1.0, 1.0], [0.5, 1.0], [0.5, 0.0]]))


def test_softmax_in_bags_has_the_gradient_of_softmax():
    scores = torch.randn(5, 1, requires_grad=True)
    wanted = torch.randn(5, 1)
    (softmax_in_bags(scores, torch.tensor([0, 0, 0, 1, 1]), 2) * wanted).sum().backward()
    plain = scores.detach().clone().requires_grad_()
    (torch.cat([plain[:3].softmax(0), plain[3:].softmax(0)]) * wanted).sum().backward()
    torch.testing.assert_close(scores.grad, plain.grad)


def test_recency_weights_start_as_the_mean_and_fade_by_place_from_the_end():
    recency = RecencyWeights(3)
    offsets = torch.tensor([0, 3, 3, 4, 6])
    torch.testing.assert_close(recency(offsets, 6), mean_weights(offsets, 6, torch.float32))
    with torch.no_grad():
        recency.scores.copy_(torch.tensor([4.0, 2.0, 1.0]).log())  # newest, the one before, the one before that
    expected = torch.tensor([1 / 7, 2 / 7, 4 / 7, 1.0, 2 / 6, 4 / 6])
    torch.testing.assert_close(recency(offsets, 6), expected)


def test_recency_weights_get_the_same_gradient_each_time_from_several_threads():
    recency, lengths = RecencyWeights(50), torch.randint(1, 51, (4000,), generator=torch.Generator().manual_seed(0))
    offsets = torch.cat([torch.zeros(1, dtype=torch.int64), lengths.cumsum(0)])
    values = torch.randn(int(offsets[-1]), generator=torch.Generator().manual_seed(1))
    threads = torch.get_num_threads()
    torch.set_num_threads(4)
    try:
        gradients = [
            torch.autograd.grad((recency(offsets, len(values)) * values).sum(), recency.scores)[0] for _ in range(10)
        ]
    finally:
        torch.set_num_threads(threads)
    assert all(torch.equal(gradient, gradients[0]) for gradient in gradients)


def test_recency_weights_learn():
    recency = RecencyWeights(3)
    offsets, values = torch.tensor([0, 2, 3]), torch.tensor([1.0, 5.0, 9.0])
    (recency(offsets, 3) * values)[:2].sum().backward()
    # w = softmax of two equal scores: d/ds of w . v is w (v - mean v); nothing is as old as the third place
    torch.testing.assert_close(recency.scores.grad, torch.tensor([0.5 * 2.0, 0.5 * -2.0, 0.0]))
    torch.testing.assert_close(functional.softmax(recency.scores[:2], 0), torch.tensor([0.5, 0.5]))


def test_attention_by_hand():
    """Two heads, histories of two items, none and one, in two domains whose indicators are (1, 0) and (0, 2)."""
    layer = HistoryAttention(length=3, embedding_dim=2, heads=2)
    rows = torch.tensor([[1.0, 2.0], [3.0, -1.0], [7.0, 5.0]])
    offsets, f_domain = torch.tensor([0, 2, 2, 3]), torch.tensor([[1.0, 0.0], [0.0, 2.0], [0.0, 2.0]])
    with torch.no_grad():
        # of each age one row for each head: newest (1, 2), the one before (3, 4), the oldest (5, 6)
        layer.age.weight[:, 0] = torch.tensor([0.3, 0.0, 0.1, 0.0, 9.0, 9.0])
        layer.age.weight[:, 1] = 9.0  # not of the first domain
        layer.age.bias.copy_(torch.tensor([0.0, 0.5, 0.0, 0.0, 9.0, 9.0]))
        layer.content.weight[0] = torch.tensor([0.2, 9.0])
        layer.content.bias.copy_(torch.tensor([0.0, 0.1, 0.0, 0.3]))
    # the first sample, of ages 1 and 0: head 1 scores age .1 and .3, content x . (.2, .1); head 2 0 and .5, x . (0, .3)
    first = torch.tensor([0.1 + 0.2 * 1 + 0.1 * 2, 0.3 + 0.2 * 3 + 0.1 * -1]).softmax(0)
    second = torch.tensor([0.3 * 2, 0.5 + 0.3 * -1]).softmax(0)
    expected = torch.zeros(3, 2, 2)
    expected[0, 0] = first[0] * rows[0] + first[1] * rows[1]
    expected[0, 1] = second[0] * rows[0] + second[1] * rows[1]
    expected[2] = rows[2]
    torch.testing.assert_close(layer(rows, offsets, f_domain), expected)


def test_blocks_pad_to_powers_of_two_at_most():
    offsets = torch.tensor([0, 3, 3, 4, 13, 15, 20])  # lengths 3, 0, 1, 9, 2, 5
    blocks = padded_blocks(offsets)
    assert [(block.indices.tolist(), block.mask.tolist()) for block in blocks] == [
        ([[3]], [[True]]),
        ([[13, 14]], [[True, True]]),
        ([[0, 1, 2, 0]], [[True, True, True, False]]),
        ([[15, 16, 17, 18, 19, 15, 15, 15]], [[True] * 5 + [False] * 3]),
        ([list(range(4, 13))], [[True] * 9]),  # no longer than the longest
    ]
    assert [block.ragged.tolist() for block in blocks] == [[3], [13, 14], [0, 1, 2], [*range(15, 20)], [*range(4, 13)]]
    assert blocks[2].padded.tolist() == [0, 1, 2]
    assert padded_blocks(torch.tensor([0, 0, 0])) == padded_blocks(torch.tensor([0])) == []


def test_one_block_has_all_histories():
    (block,) = one_block(torch.tensor([0, 2, 2, 5]), length=3, count=5)
    assert block.indices.tolist() == [[0, 1, 2], [2, 3, 4], [2, 3, 4]]
    assert block.mask.tolist() == [[True, True, False], [True, False, False], [True, True, True]]
    assert block.ragged.tolist() == [0, 1, 2, 3, 4]
    assert block.padded.tolist() == [0, 1, 6, 7, 8]
    assert one_block(torch.tensor([0, 0]), length=3, count=0) == []


def test_a_transformer_on_one_block_is_the_same_in_value_and_gradient(monkeypatch):
    found = []
    for blocks in (padded_blocks, lambda offsets: one_block(offsets, LENGTH, int(offsets[-1]))):
        monkeypatch.setattr(history_transformer, "padded_blocks", blocks)
        torch.manual_seed(0)
        made = encoder("transformer", num_heads=2, heads=2).double()
        rows, offsets, f_domain = histories()
        rows = rows.double().requires_grad_()
        output = made(rows, offsets, f_domain.double())
        (output * torch.linspace(-1, 1, output.numel()).view_as(output)).sum().backward()
        found.append([output, rows.grad, *(parameter.grad for parameter in made.parameters())])
    assert found[0][1].any()
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other)


def self_attention(layer, x):
    """One layer on one history (L, E), head by head."""
    query, key, value = layer.project(layer.before_attention(x)).chunk(3, dim=1)
    width = E // layer.num_heads
    heads = []
    for head in range(layer.num_heads):
        own = slice(head * width, (head + 1) * width)
        scores = query[:, own] @ key[:, own].T / math.sqrt(width)
        heads.append(scores.softmax(1) @ value[:, own])
    x = x + layer.attended(torch.cat(heads, dim=1))
    return x + layer.narrow(layer.widen(layer.before_network(x)).relu())


@pytest.mark.parametrize("num_heads", [1, 2])
def test_the_transformer_equals_a_loop_over_the_histories(num_heads):
    made = encoder("transformer", num_heads=num_heads, heads=3)
    rows, offsets, f_domain = histories()
    found = made(rows, offsets, f_domain)
    assert found.shape == (len(LENGTHS), 3, E)
    for sample, length in enumerate(LENGTHS):
        if length == 0:
            assert not found[sample].any()
            continue
        x = rows[offsets[sample] : offsets[sample + 1]] + made.ages[:length].flip(0)
        for layer in made.layers:
            x = self_attention(layer, x)
        age = made.pool.age(f_domain[sample]).view(LENGTH, 3)[:length].flip(0)
        weights = (age + x @ made.pool.content(f_domain[sample]).view(3, E).T).softmax(0)
        torch.testing.assert_close(found[sample], weights.T @ x)


@both
@pytest.mark.parametrize("training", [True, False])
def test_starts_as_the_mean(kind, training):
    made = (HistoryAttention if kind == "attention" else HistoryTransformer)(LENGTH, E).train(training)
    rows, offsets, f_domain = histories()
    found = made(rows, offsets, f_domain)
    for sample, length in enumerate(LENGTHS):
        own = rows[offsets[sample] : offsets[sample + 1]]
        torch.testing.assert_close(found[sample, 0], own.mean(0) if length else torch.zeros(E))


@both
def test_a_sample_does_not_depend_on_the_others_nor_on_padding(kind):
    made = encoder(kind)
    rows, offsets, f_domain = histories()
    whole = made(rows, offsets, f_domain)
    for sample in range(len(LENGTHS)):
        own = rows[offsets[sample] : offsets[sample + 1]]
        alone = made(own, torch.tensor([0, len(own)]), f_domain[sample : sample + 1])
        torch.testing.assert_close(alone[0], whole[sample])
    order = torch.tensor([5, 2, 7, 0, 3, 6, 1, 4])
    moved = torch.cat([rows[offsets[sample] : offsets[sample + 1]] for sample in order])
    cuts = torch.tensor([0, *(LENGTHS[sample] for sample in order)]).cumsum(0)
    torch.testing.assert_close(made(moved, cuts, f_domain[order]), whole[order])


@both
def test_what_is_newest_matters_and_so_does_the_domain(kind):
    made = encoder(kind)
    rows, offsets, f_domain = histories((4,))
    found = made(rows, offsets, f_domain)
    assert not torch.allclose(made(rows.flip(0), offsets, f_domain), found)
    assert not torch.allclose(made(rows, offsets, -f_domain), found)
    with torch.no_grad():  # all weight on age 0
        pool = made if kind == "attention" else made.pool
        for parameter in pool.parameters():
            parameter.zero_()
        pool.age.bias[0] = 100.0
    if kind == "attention":
        torch.testing.assert_close(made(rows, offsets, f_domain)[0, 0], rows[-1])
    older = made(torch.cat([rows[:1] + 1, rows[1:]]), offsets, f_domain)
    newest = made(torch.cat([rows[:-1], rows[-1:] + 1]), offsets, f_domain)
    assert torch.equal(older, made(rows, offsets, f_domain)) == (kind == "attention")  # the transformer has seen it
    assert not torch.allclose(newest, made(rows, offsets, f_domain))


@both
def test_only_the_order_matters_that_ages_tell(kind):
    """Without weights by age a history is a set: its order is nowhere else."""
    made = encoder(kind)
    with torch.no_grad():
        pool = made
        if kind == "transformer":
            made.ages.zero_()
            pool = made.pool
        pool.age.weight.zero_()
        pool.age.bias.zero_()
    rows, offsets, f_domain = histories((6, 3))
    shuffled = rows[torch.tensor([3, 0, 5, 1, 4, 2, 7, 8, 6])]
    torch.testing.assert_close(made(shuffled, offsets, f_domain), made(rows, offsets, f_domain))


@both
def test_gradients_reach_the_rows_of_the_own_history_only(kind):
    made = encoder(kind)
    rows, offsets, f_domain = histories()
    rows.requires_grad_()
    made(rows, offsets, f_domain)[3].square().sum().backward()
    inside = torch.zeros(len(rows), dtype=torch.bool)
    inside[offsets[3] : offsets[4]] = True
    assert rows.grad[inside].any(dim=1).all()
    assert not rows.grad[~inside].any()
    for name, parameter in made.named_parameters():
        assert parameter.grad.isfinite().all(), name


@both
@pytest.mark.parametrize("count", [0, 3])
def test_a_batch_of_empty_histories_is_zero(kind, count):
    made = encoder(kind, heads=2).train()
    found = made(torch.zeros(0, E), torch.zeros(count + 1, dtype=torch.int64), torch.randn(count, E))
    assert found.shape == (count, 2, E)
    assert not found.any()


def test_dropout_of_a_layer_is_of_training_alone():
    torch.manual_seed(0)
    layer = TransformerLayer(E, 2, dropout=0.5)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.add_(torch.randn_like(parameter))
    rows, offsets, _ = histories()
    blocks = padded_blocks(offsets)
    assert not torch.allclose(layer(rows, blocks), layer(rows, blocks))
    layer.eval()
    assert torch.equal(layer(rows, blocks), layer(rows, blocks))
