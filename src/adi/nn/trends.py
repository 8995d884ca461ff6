"""Scores of what is happening now: of an item's trend features, and of its co-clicks with a user's last items."""

import torch
from torch import Tensor, nn
from torch.nn import functional

HIDDEN = 32
LEAST_SHARE = 1e-4
"""Added to a share of co-clicks before its logarithm."""


class DomainHidden(nn.Module):
    """A hidden layer whose bias depends on the domain: ``relu(W x + b + b^(d))``, ``b^(d)`` starting at 0.

    Shapes:
        x (..., in_features), a domain -> (..., `HIDDEN`)
    """

    def __init__(self, in_features: int, num_domains: int) -> None:
        super().__init__()
        self.shared = nn.Linear(in_features, HIDDEN)
        self.by_domain = nn.Parameter(torch.zeros(num_domains, HIDDEN))

    def forward(self, x: Tensor, domain: int) -> Tensor:
        return functional.relu(self.shared(x) + self.by_domain[domain])


class TrendTower(nn.Module):
    """The coordinates of an item that change with time: its trend features, and functions of them.

    ``z(v) = [t, W2 relu(W1 t + b^(d))]``. A user's weights of these coordinates are the last outputs of the user tower,
    so that the score ``u . v + a(u) . z(v)`` is still an inner product. Trends that depend on each other, such as the
    short against the long half-life, or the age, are in the hidden layer.

    Args:
        num_features: T, see `adi.features.trends.trend_features`.
        num_domains: D.
        num_hidden_features: how many functions of the features follow them.

    Shapes:
        trend features of m items at g moments in one domain (g, m, T) -> (g, m, W), W = `width`
    """

    def __init__(self, num_features: int, num_domains: int, num_hidden_features: int = 8) -> None:
        super().__init__()
        self.hidden = DomainHidden(num_features, num_domains)
        self.output = nn.Linear(HIDDEN, num_hidden_features)
        self.width = num_features + num_hidden_features

    def forward(self, features: Tensor, domain: int) -> Tensor:
        return torch.cat([features, self.output(self.hidden(features, domain))], dim=-1)


class CoClickScore(nn.Module):
    """The score of an item's co-clicks with a user's last items, given what is known of the item.

    It is added to the pairs that have co-clicks, and 0 for all others: ``w^(d) . c + W2 relu(W1 [c, t] + b^(d))``, c
    the logs of its co-clicks.

    Args:
        num_values: C, see `adi.data.co_clicks.pairs_of`.
        num_features: T.
        num_domains: D.

    Shapes:
        co-clicks (P, C), trend features (P, T), a domain -> (P,)
    """

    def __init__(self, num_values: int, num_features: int, num_domains: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.full((num_domains, num_values), 1.0 / max(num_values, 1)))
        self.hidden = DomainHidden(num_values + num_features, num_domains)
        self.output = nn.Linear(HIDDEN, 1)

    def forward(self, co_clicks: Tensor, features: Tensor, domain: int) -> Tensor:
        logs = torch.log(co_clicks + LEAST_SHARE) / 3.0 + 2.0
        hidden = self.hidden(torch.cat([logs, features], dim=1), domain)
        scores: Tensor = self.output(hidden)[:, 0] + logs @ self.weight[domain]
        return scores
