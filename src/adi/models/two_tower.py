"""Two towers over shared embeddings: a vector for a user in a domain, and one for an item in a domain (ADI eq. 5)."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

from adi.batch import Bags, FeatureBags, Offsets
from adi.models.settings import TowerSettings
from adi.nn.behaviours import HistoryAttention, HistoryTransformer, RecencyWeights
from adi.nn.dropout import Dropout
from adi.nn.embedding import EmbeddingTables, Neighbours, bag_of_each


class Feature(Protocol):
    """What a tower needs to know of a feature; `adi.data.manifest.FeatureInfo` is one."""

    @property
    def name(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def rows(self) -> int: ...
    @property
    def length(self) -> int | None: ...
    @property
    def embedded_by(self) -> str | None: ...


DOMAIN = "domain"

Backbone = Callable[[int, int], nn.Module]
"""Makes the network of one tower from F and D; it maps (x (R, F, E), f_domain (R, E), offsets) to (R, dim)."""


class Tower(nn.Module):
    """One side: embeds its features, the domain indicator last, and runs its backbone on them.

    Behaviours of more than one item are encoded as `settings.behaviours` says. Their mean, and their sum weighted by
    recency, are pooled straight from the tables; an encoder gets the embedded items themselves. What comes of n items
    is multiplied by n ** `settings.behaviours_power`.
    """

    def __init__(
        self,
        features: Sequence[Feature],
        num_domains: int,
        tables: EmbeddingTables,
        backbone: Backbone,
        settings: TowerSettings,
        *,
        heads: int = 1,
    ) -> None:
        super().__init__()
        self.names = [feature.name for feature in features]
        self.sources = [feature.embedded_by or feature.name for feature in features]
        if settings.domain_indicator:
            self.names.append(DOMAIN)
            self.sources.append(DOMAIN)
        self.tables = (tables,)  # in a tuple: the model owns the tables, a tower only reads them
        lengths = {feature_key(f.name): f.length for f in features if f.length is not None and f.length > 1}
        by_recency = lengths if settings.behaviours == "recency" else {}
        self.recency = nn.ModuleDict({key: RecencyWeights(length) for key, length in by_recency.items()})
        encoded = lengths if settings.behaviours in ("attention", "transformer") else {}
        self.encoders = nn.ModuleDict({key: _encoder(length, heads, settings) for key, length in encoded.items()})
        self.histories = frozenset(lengths if settings.behaviours_power else ())
        self.power = settings.behaviours_power
        self.dropout = Dropout(settings.embedding_dropout)
        self.backbone = backbone(len(self.names), num_domains)
        self.domain_indicator, self.heads = settings.domain_indicator, heads

    def embed(self, bags: FeatureBags) -> tuple[Tensor, Tensor]:
        """The embedded features (R, F, E), and the embedding of each sample's domain (R, E)."""
        if self.encoders:
            return self._joined(self.columns(bags))
        tables, chosen = self.tables[0], [bags[name] for name in self.names]
        source, index = tables.gather(self.sources, [bag.values for bag in chosen])
        weights = [self._weights(name, bag) for name, bag in zip(self.names, chosen, strict=True)]
        x = tables.pool(source, index, [bag.offsets for bag in chosen], weights)  # (R, F, E)
        return x, self._f_domain(source, index, len(x))

    def columns(self, bags: FeatureBags) -> list[Tensor]:
        """Each feature's embedding (R, 1, E), that of behaviours by their encoder (R, heads, E)."""
        tables, chosen = self.tables[0], [bags[name] for name in self.names]
        source, index = tables.gather(self.sources, [bag.values for bag in chosen])
        f_domain = self._f_domain(source, index, len(bags[DOMAIN].values))
        columns = []
        for name, bag, own in zip(self.names, chosen, index, strict=True):
            if feature_key(name) in self.encoders:
                encoded = self.encoders[feature_key(name)](functional.embedding(own, source), bag.offsets, f_domain)
                if feature_key(name) in self.histories and bag.offsets is not None:
                    encoded = encoded * (bag.offsets.diff() ** self.power)[:, None, None]
                columns.append(encoded)
            else:
                columns.append(tables.pool(source, [own], [bag.offsets], [None]))
        return columns

    def _weights(self, name: str, bag: Bags) -> Tensor | None:
        """What the values of a feature are summed by (T,); None where that is their mean."""
        key = feature_key(name)
        weights = self.recency[key](bag.offsets, len(bag.values)) if key in self.recency else None  # these sum to 1
        if bag.offsets is None or key not in self.histories:
            return weights
        lengths = bag.offsets.diff()
        scale = lengths**self.power if weights is not None else lengths ** (self.power - 1)  # (R,)
        scale = scale[bag_of_each(bag.offsets, len(bag.values))]
        return scale if weights is None else weights * scale

    def _f_domain(self, source: Tensor, index: Sequence[Tensor], rows: int) -> Tensor:
        """The domain indicator's embedding of each sample (R, E), 0 where the tower is not told the domain.

        Looked up once more, and not cut out of all features, whose gradient would be a whole one, of zeros elsewhere.
        """
        if self.domain_indicator:
            return functional.embedding(index[-1], source)
        return source.new_zeros(rows, source.shape[1])

    def _joined(self, columns: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        last = columns[-1].squeeze(1)  # (R, E)
        return torch.cat([*columns], dim=1), last if self.domain_indicator else torch.zeros_like(last)

    def forward(self, bags: FeatureBags, offsets: Offsets) -> Tensor:
        return self.run(*self.embed(bags), offsets)

    def from_columns(self, columns: Sequence[Tensor], offsets: Offsets) -> Tensor:
        """What `forward` makes of a batch, from what `columns` makes of it."""
        return self.run(*self._joined(columns), offsets)

    def run(self, x: Tensor, f_domain: Tensor, offsets: Offsets) -> Tensor:
        """The backbone on embedded features and the domain's: x (R, F, E), f_domain (R, E) -> (R, dim)."""
        output: Tensor = self.backbone(self.dropout(x), f_domain, offsets)  # (R, dim)
        return output


def feature_key(name: str) -> str:
    """A feature's key in a `ModuleDict`, which refuses those that are its own attributes, such as "items"."""
    return f"of_{name}"


def _encoder(length: int, heads: int, settings: TowerSettings) -> nn.Module:
    """The encoder that the settings name: rows (T, E), offsets (R + 1,), f_domain (R, E) -> (R, heads, E)."""
    dim = settings.embedding_dim
    if settings.behaviours == "attention":
        return HistoryAttention(length, dim, heads=heads)
    return HistoryTransformer(
        length,
        dim,
        heads=heads,
        num_layers=settings.behaviours_layers,
        num_heads=settings.behaviours_heads,
        dropout=settings.behaviours_dropout,
    )


class TwoTower(nn.Module, ABC):
    """What training, evaluation and serving know of a model: vectors that rank a domain's corpus, over its `tables`.

    A score is the inner product of a user's vector and an item's, which training divides by `temperature`.

    Shapes:
        encode_users: bags of B samples, D + 1 offsets -> (B, dim)
        encode_items: bags of N candidates, D + 1 offsets, log popularity (N,) -> (N, dim)
        queries: users (n, dim), the item of each (n, dim) -> (n, dim)
        scores: users (n, dim), items (m, dim) -> (n, m)
    """

    tables: EmbeddingTables
    temperature: float

    @abstractmethod
    def encode_users(self, bags: FeatureBags, offsets: Offsets) -> Tensor: ...

    @abstractmethod
    def encode_items(self, bags: FeatureBags, offsets: Offsets, log_popularity: Tensor) -> Tensor: ...

    @abstractmethod
    def of_one_domain(self, domain: int) -> "OneDomain":
        """What serves one domain."""

    def queries(self, users: Tensor, items: Tensor) -> Tensor:
        """The vectors that stand for users whose positives are `items`: their own, where they have one each."""
        return users

    @abstractmethod
    def by_set(self, users: Tensor, items: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        """The vectors of each embedding set, which is trained by itself; a score is the mean of the sets' scores."""

    def scores(self, users: Tensor, items: Tensor) -> Tensor:
        """The score of every item for every user."""
        return users @ items.T


@dataclass(frozen=True)
class OneDomain:
    """The pair of towers that a domain goes through, its number among those that they know, which are `num_domains`.

    `first` is where the rows of each user feature, and of the domain indicator, begin in the packed tables.
    """

    towers: "SharedTowers"
    number: int
    num_domains: int
    first: Mapping[str, int]

    def offsets(self, rows: int) -> Offsets:
        """The offsets of a batch of so many rows, all of this domain."""
        return (*[0] * (self.number + 1), *[rows] * (self.num_domains - self.number))


class SharedTowers(TwoTower):
    """One pair of towers for all domains. With the popularity prior, vectors have one dimension more than `dim`."""

    user_side: type[Tower] = Tower

    def __init__(
        self,
        *,
        user_features: Sequence[Feature],
        item_features: Sequence[Feature],
        num_domains: int,
        backbone: Backbone,
        settings: TowerSettings,
        tables: EmbeddingTables | None = None,
        neighbours: Neighbours | None = None,
    ) -> None:
        """`tables` are those of the model that this pair is a part of; without, it has its own."""
        super().__init__()
        if tables is None:
            features = [*user_features, *item_features]
            tables = self.tables = embedding_tables(features, num_domains, settings, neighbours)
        self.user_tower = self.user_side(user_features, num_domains, tables, backbone, settings)
        self.item_tower = Tower(item_features, num_domains, tables, backbone, settings)
        self.num_domains, self.temperature = num_domains, settings.temperature
        self.prior = nn.Parameter(torch.full((), settings.temperature)) if settings.popularity_prior else None
        self.cosine = settings.similarity == "cosine"
        self.num_sets, self.width = settings.embedding_sets, settings.dim // settings.embedding_sets

    def encode_users(self, bags: FeatureBags, offsets: Offsets) -> Tensor:
        return self.finish_users(self.user_tower(bags, offsets))

    def finish_users(self, output: Tensor) -> Tensor:
        """The vectors of users, from the output of their tower."""
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
            own = slice(first, first + self.width)
            user, item = users[:, own] * self.num_sets, items[:, own]
            if self.prior is not None:
                user, item = torch.cat([user, users[:, -1:]], dim=1), torch.cat([item, items[:, -1:]], dim=1)
            yield user, item


def embedding_tables(
    features: Sequence[Feature],
    num_domains: int,
    settings: TowerSettings,
    neighbours: Neighbours | None,
    *,
    copies: int = 1,
) -> EmbeddingTables:
    """Tables for all features and the domain indicator; of `copies`, each feature's come one after the other."""
    rows = {feature.name: feature.rows * copies for feature in features if feature.embedded_by is None}
    sizes = {**rows, DOMAIN: num_domains}
    return EmbeddingTables(sizes, settings.embedding_dim, std=settings.embedding_std, neighbours=neighbours)
