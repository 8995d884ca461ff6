"""Two towers over shared embeddings: a vector of a user in a domain, and of an item in a domain (ADI eq. 5)."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from adi.batch import FeatureBags, Offsets
from adi.data.co_clicks import num_pair_values
from adi.data.manifest import TrendSizes
from adi.features.trends import SCALE, num_trend_features
from adi.models.encoders import EncoderFactory
from adi.models.settings import TowerSettings
from adi.models.tower import DOMAIN, Backbone, Feature, Tower
from adi.nn.domain_centering import DomainCentering
from adi.nn.domain_parameter import DomainParameter
from adi.nn.embedding import EmbeddingTables, Neighbours, make_tables
from adi.nn.interest_adaptation import FeatureWeighting
from adi.nn.trends import CoClickScore, TrendTower


class WeightedFeatures(NamedTuple):
    """The names of a tower's features, in order, and the layers that weight them, one for each embedding set."""

    names: tuple[str, ...]
    layers: list[FeatureWeighting]


class TwoTower(nn.Module, ABC):
    """The network of a model, as training, evaluation and export use it: vectors that rank a domain's corpus.

    A score is the inner product of a user's vector and an item's; training divides it by `temperature`. Embeddings are
    rows of `tables`. With `tables_by_domain`, each domain has its own copy of every table.

    Shapes:
        encode_users: bags of B samples, D + 1 offsets -> (B, dim)
        encode_items: bags of N candidates, D + 1 offsets, log popularity (N,) -> (N, dim)
        queries: users (n, dim), each user's positive item (n, dim) -> (n, dim)
        scores: users (n, dim), items (m, dim) -> (n, m)
    """

    tables_by_domain: ClassVar[bool] = False

    tables: EmbeddingTables
    temperature: float

    @property
    @abstractmethod
    def knows_domain(self) -> bool:
        """Whether the same features may score differently in two domains."""

    def weighted_features(self, side: Literal["user", "item"]) -> WeightedFeatures | None:
        """The feature-weighting layers of a side's tower; None for a model without such layers."""
        return None

    @abstractmethod
    def encode_users(self, bags: FeatureBags, offsets: Offsets) -> Tensor: ...

    @abstractmethod
    def encode_items(self, bags: FeatureBags, offsets: Offsets, log_popularity: Tensor) -> Tensor: ...

    @property
    @abstractmethod
    def has_trends(self) -> bool:
        """Whether scores depend on clicks by time: the last W coordinates of a user's vector are weights of trends."""

    @property
    @abstractmethod
    def audience_dim(self) -> int:
        """The width of the tastes of which items' audiences are made; 0 for a model without audiences."""

    @abstractmethod
    def trend_coordinates(self, features: Tensor, domain: int, audiences: Tensor | None = None) -> Tensor:
        """The coordinates of items at some moments (g, m, W) from their trend features (g, m, T).

        `audiences` are theirs (g, m, K, dim); None where nobody has clicked.
        """

    @abstractmethod
    def trend_parts(self, features: Tensor, domain: int) -> tuple[Tensor, Tensor | None]:
        """The coordinates of items without their audiences, and the gates of audiences (`TrendTower.parts`)."""

    @abstractmethod
    def co_click_scores(self, co_clicks: Tensor, features: Tensor, domain: int) -> Tensor:
        """Scores to add to pairs (P,), from their co-clicks (P, C) and the item's trend features (P, T)."""

    @abstractmethod
    def of_one_domain(self, domain: int) -> "OneDomain":
        """The pair of towers that serves one domain."""

    def queries(self, users: Tensor, items: Tensor) -> Tensor:
        """One query vector per user for training, given the users' positives; overridden by multi-interest models."""
        return users

    @abstractmethod
    def by_set(self, users: Tensor, items: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        """Split vectors by embedding set. Each set has its own loss; a score is the mean of the sets' scores."""

    def scores(self, users: Tensor, items: Tensor, added: Tensor | None = None) -> Tensor:
        """Score every item for every user; `added` (n, m), or (n, interests, m), is added to the products of both."""
        return users @ items.T if added is None else torch.addmm(added, users, items.T)


class Trends(nn.Module):
    """The networks of what changes with time: coordinates of items, and scores of co-clicks.

    The last coordinates of a user's vector are the weights of `items`; an item's vector gets these coordinates anew at
    every moment.
    """

    def __init__(self, sizes: TrendSizes, num_domains: int, dim: int) -> None:
        super().__init__()
        num_features = num_trend_features(sizes.counts)
        self.items = TrendTower(num_features, num_domains, sizes.audience, dim)
        self.co_clicks = CoClickScore(num_pair_values(sizes.co_clicks), num_features, num_domains)
        start = torch.ones(self.items.num_weights)
        start[:num_features] = 0.0
        start[: 2 * sizes.counts] = SCALE / (2 * sizes.counts)  # all together: the logarithm of an average share
        self.weights = nn.Parameter(start)
        self.of_audience = nn.Linear(dim, dim, bias=False) if self.items.audience_dim else None
        if self.of_audience is not None:
            nn.init.eye_(self.of_audience.weight)

    def of_users(self, taste: Tensor, weights: Tensor) -> Tensor:
        """The weights of items' coordinates (..., W), from users' tastes and the last outputs of the user tower."""
        weights = weights + self.weights
        return weights if self.of_audience is None else torch.cat([weights, self.of_audience(taste)], dim=-1)


@dataclass(frozen=True)
class OneDomain:
    """The pair of towers that a domain uses.

    `number` is the domain's index among the `num_domains` domains of these towers. `first` is the first row of each
    user feature, and of the domain indicator, in the packed tables.
    """

    towers: "SharedTowers"
    number: int
    num_domains: int
    first: Mapping[str, int]

    def offsets(self, rows: int) -> Offsets:
        """The offsets of a batch of `rows` rows, all of this domain."""
        return (*[0] * (self.number + 1), *[rows] * (self.num_domains - self.number))


class SharedTowers(TwoTower):
    """One pair of towers for all domains. With the popularity prior, vectors have `dim` + 1 dimensions."""

    user_side: type[Tower] = Tower

    def __init__(
        self,
        *,
        user_features: Sequence[Feature],
        item_features: Sequence[Feature],
        num_domains: int,
        backbone: Backbone,
        encoders: Mapping[str, EncoderFactory],
        settings: TowerSettings,
        tables: EmbeddingTables | None = None,
        neighbours: Neighbours | None = None,
        trend_sizes: TrendSizes | None = None,
    ) -> None:
        """`tables` are the shared tables of a model that this pair is a part of; if None, the pair has its own.

        `trend_sizes` are those of the dataset's trends (`adi.data.manifest.TrendInfo.sizes`), which take the place of
        the popularity prior; None: no trends.
        """
        super().__init__()
        if tables is None:
            features = [*user_features, *item_features]
            tables = self.tables = embedding_tables(features, num_domains, settings, neighbours)
        self.trends = Trends(trend_sizes, num_domains, settings.vector_dim) if trend_sizes else None
        num_weights = self.trends.items.num_weights if self.trends is not None else 0
        self.centering = DomainCentering(settings.vector_dim, num_domains) if self.trends is not None else None
        self.user_tower = self.user_side(
            user_features, num_domains, tables, backbone, encoders, settings, num_weights=num_weights
        )
        self.item_tower = Tower(item_features, num_domains, tables, backbone, encoders, settings)
        self.num_domains, self.temperature = num_domains, settings.temperature
        has_prior = settings.popularity_prior and self.trends is None
        self.prior = nn.Parameter(torch.full((), settings.temperature)) if has_prior else None
        self.cosine = settings.similarity == "cosine"
        self.num_sets, self.width = settings.num_sets, settings.dim

    @property
    def knows_domain(self) -> bool:
        weights = [module for module in self.modules() if isinstance(module, DomainParameter)]
        return self.user_tower.domain_indicator or any(weight.num_domains > 1 for weight in weights)

    @property
    def has_trends(self) -> bool:
        return self.trends is not None

    @property
    def audience_dim(self) -> int:
        return self.trends.items.audience_dim if self.trends is not None else 0

    def trend_coordinates(self, features: Tensor, domain: int, audiences: Tensor | None = None) -> Tensor:
        assert self.trends is not None
        coordinates: Tensor = self.trends.items(features, domain, audiences)
        return coordinates

    def trend_parts(self, features: Tensor, domain: int) -> tuple[Tensor, Tensor | None]:
        assert self.trends is not None
        return self.trends.items.parts(features, domain)

    def co_click_scores(self, co_clicks: Tensor, features: Tensor, domain: int) -> Tensor:
        assert self.trends is not None
        scores: Tensor = self.trends.co_clicks(co_clicks, features, domain)
        return scores

    def weighted_features(self, side: Literal["user", "item"]) -> WeightedFeatures | None:
        tower = self.user_tower if side == "user" else self.item_tower
        layers = tower.weighting_layers()
        return WeightedFeatures(tuple(tower.names), layers) if layers else None

    def encode_users(self, bags: FeatureBags, offsets: Offsets) -> Tensor:
        return self.finish_users(self.user_tower(bags, offsets), offsets)

    def finish_users(self, output: Tensor, offsets: Offsets) -> Tensor:
        """Turn the output of the user tower into user vectors."""
        if self.trends is not None:
            taste, weights = output.tensor_split([self.num_sets * self.width], dim=-1)
            if self.centering is not None:
                taste = self.centering(taste, offsets)
            taste = self._finish(taste) / self.num_sets
            return torch.cat([taste, self.trends.of_users(taste, weights)], dim=-1)
        vectors = self._finish(output) / self.num_sets
        return vectors if self.prior is None else functional.pad(vectors, (0, 1), value=1.0)

    def of_one_domain(self, domain: int) -> OneDomain:
        tower = self.user_tower
        first = {name: tower.tables[0].first[source] for name, source in zip(tower.names, tower.sources, strict=True)}
        return OneDomain(self, domain, self.num_domains, first)

    def encode_items(self, bags: FeatureBags, offsets: Offsets, log_popularity: Tensor) -> Tensor:
        vectors = self._finish(self.item_tower(bags, offsets))
        if self.prior is None:
            return vectors
        return torch.cat([vectors, (self.prior * log_popularity)[:, None]], dim=1)

    def _finish(self, vectors: Tensor) -> Tensor:
        if not self.cosine:
            return vectors
        of_sets = vectors.reshape(*vectors.shape[:-1], self.num_sets, self.width)
        return functional.normalize(of_sets, dim=-1).flatten(-2)

    def by_set(self, users: Tensor, items: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        if self.num_sets == 1:
            yield users, items
            return
        for first in range(0, self.num_sets * self.width, self.width):
            columns = slice(first, first + self.width)
            user, item = users[:, columns] * self.num_sets, items[:, columns]
            rest = slice(self.num_sets * self.width, None)  # the prior or the trends, which all sets share
            yield torch.cat([user, users[:, rest]], dim=1), torch.cat([item, items[:, rest]], dim=1)


def embedding_tables(
    features: Sequence[Feature],
    num_domains: int,
    settings: TowerSettings,
    neighbours: Neighbours | None,
    *,
    copies: int = 1,
) -> EmbeddingTables:
    """Build tables for all features and the domain indicator; a feature's `copies` follow one another."""
    rows = {feature.name: feature.rows * copies for feature in features if feature.embedded_by is None}
    sizes = {**rows, DOMAIN: num_domains}
    return make_tables(sizes, settings.table_dim, std=settings.embedding_std, neighbours=neighbours)
