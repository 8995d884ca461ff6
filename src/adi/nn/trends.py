"""Scores of what is happening now: of an item's trend features and audience, and of its co-clicks with a user's last
items."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from adi.nn.domain_state import DomainState, exchanged

HIDDEN = 32
GATE = 0.1
"""The gates of audiences at the start."""
LEAST_SHARE = 1e-4
"""Added to a share of co-clicks before its logarithm."""


class DomainHidden(DomainState):
    """A hidden layer whose bias depends on the domain: ``relu(W x + b + b^(d))``, ``b^(d)`` starting at 0.

    Shapes:
        x (..., in_features), a domain -> (..., `HIDDEN`)
    """

    def __init__(self, in_features: int, num_domains: int) -> None:
        super().__init__()
        self.shared = nn.Linear(in_features, HIDDEN)
        self.by_domain = nn.Parameter(torch.zeros(num_domains, HIDDEN))

    def forward(self, x: Tensor, domain: int) -> Tensor:
        hidden = functional.linear(x, self.shared.weight, self.shared.bias + self.by_domain[domain])
        return hidden.relu_()  # in place: a step has hundreds of thousands of rows

    def exchange(self, first: int, second: int) -> None:
        self.by_domain = nn.Parameter(exchanged(self.by_domain, first, second))


class TrendTower(nn.Module):
    """The coordinates of an item that change with time: its trend features, functions of them, and its audience.

    ``z(v) = [t, W2 relu(W1 t + b^(d)), sum_k g_k m_k]``. A user's weights of these coordinates are the last columns of
    the user's vector, so that the score ``u . v + a(u) . z(v)`` is still an inner product. Trends that depend on each
    other, such as the short against the long half-life, or the age, are in the hidden layer.

    ``m_k`` are an item's audiences, the mean tastes of its clickers, for each half-life; their gates ``g`` are linear
    in the hidden layer. Their weights are a linear function of the user's taste: an item is liked by those who are like
    the users who click it now, whatever was learned of it in training.

    Args:
        num_features: T, see `adi.features.trends.trend_features`.
        num_domains: D.
        num_audiences: K, the number of half-lives of audiences; 0: none.
        dim: width of a taste.
        num_hidden_features: how many functions of the features follow them.

    Shapes:
        trend features of m items at g moments in one domain (g, m, T), audiences (g, m, K, dim) or None where nobody
        has clicked -> (g, m, `width`)
    """

    def __init__(
        self, num_features: int, num_domains: int, num_audiences: int = 0, dim: int = 0, num_hidden_features: int = 8
    ) -> None:
        super().__init__()
        self.hidden = DomainHidden(num_features, num_domains)
        self.output = nn.Linear(HIDDEN, num_hidden_features)
        self.audience_dim = dim if num_audiences else 0
        self.num_weights = num_features + num_hidden_features
        self.width = self.num_weights + self.audience_dim
        if num_audiences:
            self.gates = nn.Linear(HIDDEN, num_audiences)
            nn.init.zeros_(self.gates.weight)
            nn.init.constant_(self.gates.bias, GATE)

    def forward(self, features: Tensor, domain: int, audiences: Tensor | None = None) -> Tensor:
        coordinates, gates = self.parts(features, domain)
        if gates is None:
            return coordinates
        if audiences is None:
            return functional.pad(coordinates, (0, self.audience_dim))
        audience = (gates[..., None] * audiences).sum(dim=-2)  # (g, m, dim)
        return torch.cat([coordinates, audience], dim=-1)

    def parts(self, features: Tensor, domain: int) -> tuple[Tensor, Tensor | None]:
        """The coordinates without the audience (g, m, `num_weights`), and the gates of audiences (g, m, K)."""
        hidden = self.hidden(features, domain)
        coordinates = torch.cat([features, self.output(hidden)], dim=-1)
        return coordinates, self.gates(hidden) if self.audience_dim else None


class CoClickScore(DomainState):
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

    def exchange(self, first: int, second: int) -> None:
        self.weight = nn.Parameter(exchanged(self.weight, first, second))
