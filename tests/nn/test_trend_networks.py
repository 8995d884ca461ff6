"""The networks of trends, and the centring of taste."""

import torch

from adi.nn.domain_centering import DomainCentering
from adi.nn.trends import CoClickScore, TrendTower


def test_coordinates_begin_with_the_features_and_depend_on_the_domain():
    tower = TrendTower(num_features=5, num_domains=2, num_hidden_features=3)
    features = torch.randn(4, 6, 5)
    first = tower(features, 0)
    assert first.shape == (4, 6, tower.width) == (4, 6, 8)
    torch.testing.assert_close(first[..., :5], features)
    torch.testing.assert_close(tower(features, 1), first)  # domains start alike
    with torch.no_grad():
        tower.hidden.by_domain[1] += 1.0
    assert not torch.allclose(tower(features, 1)[..., 5:], first[..., 5:])


def test_more_co_clicks_are_a_higher_score_at_the_start():
    torch.manual_seed(0)
    score = CoClickScore(num_values=2, num_features=3, num_domains=2)
    with torch.no_grad():
        score.output.weight.zero_()
        score.output.bias.zero_()
    features = torch.randn(1, 3).expand(3, 3)
    scores = score(torch.tensor([[0.0, 0.0], [0.1, 0.0], [0.5, 0.2]]), features, 1)
    assert scores.shape == (3,)
    assert scores[0] < scores[1] < scores[2]
    assert score(torch.empty(0, 2), torch.empty(0, 3), 0).shape == (0,)


def test_vectors_are_centred_by_domain():
    centring = DomainCentering(dim=3, num_domains=3, momentum=0.5)
    x, offsets = torch.randn(6, 3) + 5.0, (0, 4, 4, 6)
    centred = centring(x, offsets)
    for start, stop in ((0, 4), (4, 6)):
        torch.testing.assert_close(centred[start:stop].mean(dim=0), torch.zeros(3), atol=1e-5, rtol=0)
    torch.testing.assert_close(centring.mean[0], 0.5 * x[:4].mean(dim=0))
    assert not centring.mean[1].any()  # no rows in the batch
    for _ in range(50):
        centring(x, offsets)
    centring.eval()
    torch.testing.assert_close(centring(x, offsets), centred, atol=1e-4, rtol=0)
    torch.testing.assert_close(centring(x[:1], (0, 1, 1, 1)), centred[:1], atol=1e-4, rtol=0)
    assert centring(x[:0], (0, 0, 0, 0)).shape == (0, 3)
