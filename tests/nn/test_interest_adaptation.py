import pytest
import torch

from adi.errors import AdiError
from adi.nn.interest_adaptation import (
    ADAPTATIONS,
    AttentionAdaptation,
    LinearAdaptation,
    NoAdaptation,
    SEAdaptation,
    interest_adaptation,
)

OFFSETS = [0, 2, 2, 5]
# (B, F, E) = (5, 2, 3); the means over E are (2, 0) (1, -1) (4, 2) (0, 3) (1, 1)
X = [
    [[1.0, 2.0, 3.0], [0.0, 1.0, -1.0]],
    [[1.0, 1.0, 1.0], [-3.0, 0.0, 0.0]],
    [[12.0, 0.0, 0.0], [1.0, 2.0, 3.0]],
    [[-1.0, 0.0, 1.0], [9.0, 0.0, 0.0]],
    [[0.0, 0.0, 3.0], [1.0, 2.0, 0.0]],
]


def fill(parameter, value):
    with torch.no_grad():
        parameter.copy_(torch.tensor(value))


def build(kind, **options):
    return interest_adaptation(kind, num_features=2, embedding_dim=3, num_domains=3, **options)


def test_linear_scales_and_shifts_each_number_of_each_feature():
    layer = LinearAdaptation(2, 3, 3)
    fill(layer.weight(0), [[1.0, 2.0, 0.0], [1.0, 1.0, -1.0]])
    fill(layer.bias(0), [[0.0, 0.0, 5.0], [1.0, 0.0, 0.0]])
    fill(layer.weight(1), [[99.0] * 3] * 2)
    fill(layer.weight(2), [[0.0, 1.0, 2.0], [3.0, 0.0, 1.0]])
    fill(layer.bias(2), [[0.0, -1.0, 0.0], [0.0, 7.0, 0.0]])
    assert layer(torch.tensor(X), OFFSETS).tolist() == [
        [[1, 4, 5], [1, 1, 1]],
        [[1, 2, 5], [-2, 0, 0]],
        [[0, -1, 0], [3, 7, 3]],
        [[0, -1, 2], [27, 7, 0]],
        [[0, -1, 6], [3, 7, 0]],
    ]


def test_attention_weighs_a_feature_by_the_sigmoid_of_its_product_with_the_domains_query():
    layer = AttentionAdaptation(2, 3, 3)
    fill(layer.query(0), [[1.0, 0.0, -1.0], [0.0, 2.0, 0.0]])
    fill(layer.query(1), [[9.0] * 3] * 2)
    fill(layer.query(2), [[0.0, 0.0, 1.0], [1.0, -1.0, 0.0]])
    products = torch.tensor([[-2.0, 2.0], [0.0, 0.0], [0.0, -1.0], [1.0, 9.0], [3.0, -1.0]])
    expected = 1 / (1 + torch.exp(-products))
    x = torch.tensor(X)
    torch.testing.assert_close(layer.weights(x, OFFSETS), expected)
    torch.testing.assert_close(layer(x, OFFSETS), x * expected[:, :, None])
    # By hand, sigmoid(-2) = 0.1192029 and sigmoid(9) = 0.9998766
    torch.testing.assert_close(layer(x, OFFSETS)[0, 0], torch.tensor([0.1192029, 0.2384058, 0.3576088]))
    torch.testing.assert_close(layer(x, OFFSETS)[3, 1], torch.tensor([8.9988895, 0.0, 0.0]))


def test_attention_starts_at_one_half_and_learns_from_there():
    layer = AttentionAdaptation(2, 3, 3)
    x = torch.tensor(X)
    assert layer.weights(x, OFFSETS).tolist() == [[0.5, 0.5]] * 5
    layer(x, OFFSETS).sum().backward()
    # d/dQ_i of Σ_b σ(<Q_i, x_bi>) Σ_e x_bie at Q = 0 is ¼ Σ_b x_bi Σ_e x_bie; domain 0 has rows 0 and 1.
    torch.testing.assert_close(layer.query(0).grad, torch.tensor([[2.25, 3.75, 5.25], [2.25, 0.0, 0.0]]))


def se_weights(layer, block, first, first_bias, last, last_bias):
    fill(layer.squeeze.weight(block), first)
    fill(layer.squeeze.bias(block), first_bias)
    fill(layer.excite.weight(block), last)
    fill(layer.excite.bias(block), last_bias)


def per_domain_se(**options):
    layer = SEAdaptation(2, 3, reduction=1, **options)
    se_weights(layer, 0, [[1.0, 0.0], [0.0, 1.0]], [0.0, 0.5], [[1.0, 0.0], [1.0, 2.0]], [0.0, -1.0])
    se_weights(layer, 1, [[9.0, 9.0]] * 2, [9.0] * 2, [[9.0, 9.0]] * 2, [9.0] * 2)
    se_weights(layer, 2, [[1.0, -1.0], [-1.0, 1.0]], [0.0, 0.0], [[1.0, 0.0], [0.0, 1.0]], [1.0, 0.0])
    return layer


# Domain 0: hidden (2, .5), (1, 0); domain 2: hidden (2, 0), (0, 3), (0, 0).
SE_WEIGHTS = [[2.0, 2.0], [1.0, 0.0], [3.0, 0.0], [1.0, 3.0], [1.0, 0.0]]


def test_se_weighs_features_by_two_layers_on_their_means():
    x = torch.tensor(X)
    layer = per_domain_se()
    assert layer.weights(x, OFFSETS).tolist() == SE_WEIGHTS
    assert layer(x, OFFSETS).tolist() == [
        [[2, 4, 6], [0, 2, -2]],
        [[1, 1, 1], [0, 0, 0]],
        [[36, 0, 0], [0, 0, 0]],
        [[-1, 0, 1], [27, 0, 0]],
        [[0, 0, 3], [0, 0, 0]],
    ]


def test_se_with_sigmoid_squashes_the_weights():
    x = torch.tensor(X)
    expected = 1 / (1 + torch.exp(-torch.tensor(SE_WEIGHTS)))
    layer = per_domain_se(sigmoid=True)
    torch.testing.assert_close(layer.weights(x, OFFSETS), expected)
    torch.testing.assert_close(layer(x, OFFSETS), x * expected[:, :, None])


def test_global_se_uses_one_block_for_all_domains():
    layer = SEAdaptation(2, 3, reduction=1, per_domain=False)
    se_weights(layer, 0, [[1.0, 0.0], [0.0, 1.0]], [0.0, 0.5], [[1.0, 0.0], [1.0, 2.0]], [0.0, -1.0])
    assert len(list(layer.parameters())) == 4
    # hidden (2, .5) (1, 0) (4, 2.5) (0, 3.5) (1, 1.5)
    assert layer.weights(torch.tensor(X), OFFSETS).tolist() == [[2, 2], [1, 0], [4, 8], [0, 6], [1, 3]]


@pytest.mark.parametrize(
    ("num_features", "reduction", "hidden"), [(6, 2, 3), (7, 3, 2), (2, 16, 1), (1, 2, 1), (5, 1, 5)]
)
def test_se_hidden_width_is_features_over_reduction_and_one_at_least(num_features, reduction, hidden):
    layer = SEAdaptation(num_features, 2, reduction=reduction)
    assert layer.squeeze(torch.zeros(1, num_features), [0, 1, 1]).shape == (1, hidden)
    assert layer(torch.ones(4, num_features, 3), [0, 3, 4]).shape == (4, num_features, 3)


@pytest.mark.parametrize("shrinkage", [False, True])
@pytest.mark.parametrize("kind", ["none", "linear", "se", "se-global"])
def test_layers_start_as_the_identity(kind, shrinkage):
    x = torch.tensor(X)
    torch.testing.assert_close(build(kind, shrinkage=shrinkage)(x, OFFSETS), x)


def test_se_leaves_the_identity_with_the_first_steps():
    torch.manual_seed(0)
    layer, x = SEAdaptation(2, 3, reduction=1), torch.tensor(X)
    with torch.no_grad():
        for d in range(3):
            layer.squeeze.bias(d).fill_(1.0)  # so that the hidden units are alive on these rows
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.01)
    for _ in range(2):
        optimizer.zero_grad()
        (layer(x, OFFSETS) * torch.tensor([[1.0], [-1.0]])).sum().backward()
        optimizer.step()
    assert all(layer.excite.weight(d).grad.abs().max() > 0 for d in (0, 2))
    assert all(layer.squeeze.weight(d).grad.abs().max() > 0 for d in (0, 2))


@pytest.mark.parametrize("kind", ["linear", "attention", "se"])
def test_shrinkage_makes_every_weight_shared_plus_a_delta(kind):
    names = [name for name, _ in build(kind, shrinkage=True).named_parameters()]
    assert sum("delta" in name for name in names) == 3 * sum("shared" in name for name in names) == len(names) * 3 / 4


def test_a_global_block_has_nothing_to_shrink():
    assert not any("delta" in name for name, _ in build("se-global", shrinkage=True).named_parameters())


def test_the_factory_builds_each_kind_with_its_options():
    assert ADAPTATIONS == ("none", "linear", "attention", "se", "se-global")
    kinds = [NoAdaptation, LinearAdaptation, AttentionAdaptation, SEAdaptation, SEAdaptation]
    assert [type(build(kind)) for kind in ADAPTATIONS] == kinds
    assert [build(kind).per_domain for kind in ("se", "se-global")] == [True, False]
    layer = interest_adaptation(
        "se", num_features=6, embedding_dim=3, num_domains=2, reduction=3, sigmoid=True, shrinkage=True
    )
    assert layer.squeeze.out_features == 2
    torch.testing.assert_close(layer.weights(torch.zeros(1, 6, 3), [0, 1, 1]), torch.full((1, 6), 0.7310586))


def test_an_unknown_kind_is_refused_with_the_known_ones():
    with pytest.raises(AdiError, match=r"'atention' is not one of none, linear, .*Did you mean 'attention'"):
        build("atention")


@pytest.mark.parametrize("kind", ADAPTATIONS)
def test_a_batch_of_no_rows_keeps_its_shape(kind):
    assert build(kind)(torch.zeros(0, 2, 3), [0, 0, 0, 0]).shape == (0, 2, 3)
