"""Networks of a domain that become graphs: the user tower, from padded rows of embeddings to vectors, and trends."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from adi.bundle.manifest import PaddedFeature
from adi.models.tower import DOMAIN, feature_key
from adi.models.two_tower import OneDomain, TwoTower
from adi.nn.behaviours import padded_mean


class PaddedTower(nn.Module):
    """A domain's user tower without its embedding tables, on inputs padded as by `adi.bundle.user_tower.pad`.

    Shapes:
        rows (R, S, E), of any value in empty slots; given (R, S) -> vectors (R, I, dim), of I interests; with trends
        (R, I, dim + W), without the weights of audiences, which `ItemTrends` applies
    """

    def __init__(self, domain: OneDomain, padding: Sequence[PaddedFeature]) -> None:
        super().__init__()
        self.domain, self.towers = domain, domain.towers
        self.widths = [feature.width for feature in padding]

    def forward(self, rows: Tensor, given: Tensor) -> Tensor:
        tower = self.towers.user_tower
        rows = rows * given[:, :, None]
        by_feature, given_by_feature = (torch.split(part, self.widths, dim=1) for part in (rows, given))
        features = list(zip(tower.names, by_feature, given_by_feature, strict=True))
        last_name, last_rows, _ = features[-1]
        last = last_rows.sum(dim=1)  # (R, E)
        f_domain = last if last_name == DOMAIN else torch.zeros_like(last)
        columns = [self._column(*feature, f_domain) for feature in features]
        offsets = self.domain.offsets(rows.shape[0])
        vectors = self.towers.finish_users(tower.from_columns(columns, offsets), offsets)
        vectors = without_audience(self.towers, vectors)
        return vectors if vectors.ndim == 3 else vectors[:, None]

    def _column(self, name: str, rows: Tensor, given: Tensor, f_domain: Tensor) -> Tensor:
        """Return a feature's embedding (R, 1, E), or that of encoded behaviours (R, heads, E)."""
        tower, key = self.towers.user_tower, feature_key(name)
        encoder = tower.encoder_of(name)
        column = padded_mean(rows, given) if encoder is None else encoder.padded(rows, given, f_domain)
        if key in tower.histories:
            column = column * given.sum(dim=1)[:, None, None] ** tower.power
        return column


def without_audience(model: TwoTower, users: Tensor) -> Tensor:
    """Users' vectors without their weights of audiences, the last."""
    return users[..., : users.shape[-1] - model.audience_dim]


class ItemTrends(nn.Module):
    """A domain's coordinates of items: trend features (count, T), audiences (count, K, dim) if any -> (count, W).

    With audiences, they are followed by what the audience adds to the item's vector (count, W + dim): a user's weights
    of an audience are linear in the taste, so ``(M u) . a = u . (M' a)``, and a list needs no more numbers of an item
    than without audiences.
    """

    def __init__(self, domain: OneDomain) -> None:
        super().__init__()
        assert domain.towers.trends is not None
        self.tower, self.number = domain.towers.trends.items, domain.number
        self.of_audience = domain.towers.trends.of_audience

    def forward(self, features: Tensor, audiences: Tensor | None = None) -> Tensor:
        coordinates: Tensor = self.tower(features, self.number, audiences)
        if self.of_audience is None:
            return coordinates
        coordinates, audience = coordinates.tensor_split([self.tower.num_weights], dim=-1)
        return torch.cat([coordinates, audience @ self.of_audience.weight], dim=-1)


class CoClickTrends(nn.Module):
    """A domain's scores of co-clicks: co-clicks (count, C), trend features (count, T) -> (count,)."""

    def __init__(self, domain: OneDomain) -> None:
        super().__init__()
        assert domain.towers.trends is not None
        self.score, self.number = domain.towers.trends.co_clicks, domain.number

    def forward(self, co_clicks: Tensor, features: Tensor) -> Tensor:
        scores: Tensor = self.score(co_clicks, features, self.number)
        return scores
