"""Two towers over shared embeddings: a vector for a user in a domain, and one for an item in a domain (ADI eq. 5)."""

from collections.abc import Callable, Sequence
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

from adi.batch import FeatureBags, Offsets
from adi.layers.embedding import EmbeddingTables, RecencyWeights
from adi.models.settings import TowerSettings


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
    """One side: embeds its features, the domain indicator last, and runs its backbone on them."""

    def __init__(
        self,
        features: Sequence[Feature],
        num_domains: int,
        tables: EmbeddingTables,
        backbone: Backbone,
        settings: TowerSettings,
    ) -> None:
        super().__init__()
        self.names = [feature.name for feature in features]
        self.sources = [feature.embedded_by or feature.name for feature in features]
        if settings.domain_indicator:
            self.names.append(DOMAIN)
            self.sources.append(DOMAIN)
        self.tables = (tables,)  # in a tuple: the model owns the tables, a tower only reads them
        by_recency = features if settings.behaviours == "recency" else ()
        self.recency = nn.ModuleDict(
            {_key(f.name): RecencyWeights(f.length) for f in by_recency if f.length is not None and f.length > 1}
        )
        self.dropout = nn.Dropout(settings.embedding_dropout)
        self.backbone = backbone(len(self.names), num_domains)
        self.domain_indicator = settings.domain_indicator

    def embed(self, bags: FeatureBags) -> Tensor:
        """The embedded features (R, F, E)."""
        chosen = [bags[name] for name in self.names]
        weights = [
            self.recency[_key(name)](bag.offsets, len(bag.values)) if _key(name) in self.recency else None
            for name, bag in zip(self.names, chosen, strict=True)
        ]
        x: Tensor = self.tables[0](self.sources, [(bag.values, bag.offsets) for bag in chosen], weights)
        return x

    def forward(self, bags: FeatureBags, offsets: Offsets) -> Tensor:
        x = self.embed(bags)  # (R, F, E)
        f_domain = x[:, -1] if self.domain_indicator else torch.zeros_like(x[:, -1])  # (R, E)
        output: Tensor = self.backbone(self.dropout(x), f_domain, offsets)  # (R, dim)
        return output


def _key(name: str) -> str:
    """A feature's key in a `ModuleDict`, which refuses those that are its own attributes, such as "items"."""
    return f"of_{name}"


class TwoTower(nn.Module):
    """The model that training, evaluation and serving know: vectors whose inner product ranks a domain's corpus.

    Shapes:
        encode_users: bags of B samples, D + 1 offsets -> (B, dim), or (B, dim + 1) with the popularity prior
        encode_items: bags of N candidates, offsets, log popularity (N,) -> (N, dim), or (N, dim + 1)
    """

    def __init__(
        self,
        *,
        user_features: Sequence[Feature],
        item_features: Sequence[Feature],
        num_domains: int,
        backbone: Backbone,
        settings: TowerSettings,
    ) -> None:
        super().__init__()
        sizes = {f.name: f.rows for f in (*user_features, *item_features) if f.embedded_by is None}
        self.tables = EmbeddingTables(
            {**sizes, DOMAIN: num_domains}, settings.embedding_dim, std=settings.embedding_std
        )
        self.user_tower = Tower(user_features, num_domains, self.tables, backbone, settings)
        self.item_tower = Tower(item_features, num_domains, self.tables, backbone, settings)
        self.temperature = settings.temperature
        self.prior = nn.Parameter(torch.full((), settings.temperature)) if settings.popularity_prior else None
        self.cosine = settings.similarity == "cosine"

    def encode_users(self, bags: FeatureBags, offsets: Offsets) -> Tensor:
        vectors = self._finish(self.user_tower(bags, offsets))
        return vectors if self.prior is None else functional.pad(vectors, (0, 1), value=1.0)

    def encode_items(self, bags: FeatureBags, offsets: Offsets, log_popularity: Tensor) -> Tensor:
        vectors = self._finish(self.item_tower(bags, offsets))
        if self.prior is None:
            return vectors
        return torch.cat([vectors, (self.prior * log_popularity)[:, None]], dim=1)

    def _finish(self, vectors: Tensor) -> Tensor:
        return functional.normalize(vectors, dim=1) if self.cosine else vectors
