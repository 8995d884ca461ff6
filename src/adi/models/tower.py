"""One tower: embeds the features of users or items, and maps them to a vector with its backbone."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

from adi.batch import Bags, FeatureBags, Offsets
from adi.models.encoders import EncoderFactory
from adi.models.settings import TowerSettings
from adi.nn.behaviours import HistoryEncoder, PoolingWeights
from adi.nn.domain_linear import DomainLinear
from adi.nn.dropout import Dropout
from adi.nn.embedding import EmbeddingTables, bag_of_each
from adi.nn.interest_adaptation import FeatureWeighting


class Feature(Protocol):
    """The description of a feature that a tower needs; `adi.data.manifest.FeatureInfo` is one."""

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
"""Builds the network of one tower from F and D; it maps (x (R, F, E), f_domain (R, E), offsets) to (R, dim).

A backbone that starts with a feature-weighting layer, as ADI's does, has that layer in its attribute `adaptation`."""


class Tower(nn.Module):
    """Embeds the features of one side, the domain indicator last, and runs the backbone on them.

    Each feature of behaviours with more than one item has an encoder, built by `encoders[settings.behaviours]`. Means
    and `PoolingWeights` are pooled straight from the tables; a `HistoryEncoder` gets the embedded items. The vector of
    n items is multiplied by n ** `settings.behaviours_power`. Each encoder returns `heads` vectors.

    With `num_weights`, the last outputs are that many weights, of trends, linear in the features and close to those
    that all domains share.
    """

    def __init__(
        self,
        features: Sequence[Feature],
        num_domains: int,
        tables: EmbeddingTables,
        backbone: Backbone,
        encoders: Mapping[str, EncoderFactory],
        settings: TowerSettings,
        *,
        heads: int = 1,
        num_weights: int = 0,
    ) -> None:
        super().__init__()
        self.names = [feature.name for feature in features]
        self.sources = [feature.embedded_by or feature.name for feature in features]
        if settings.domain_indicator:
            self.names.append(DOMAIN)
            self.sources.append(DOMAIN)
        self.tables = (tables,)  # in a tuple: the model owns the tables, a tower only reads them
        lengths = {feature_key(f.name): f.length for f in features if f.length is not None and f.length > 1}
        built = {key: encoders[settings.behaviours](length, heads, settings) for key, length in lengths.items()}
        self.recency = nn.ModuleDict({key: e for key, e in built.items() if isinstance(e, PoolingWeights)})
        self.encoders = nn.ModuleDict({key: e for key, e in built.items() if isinstance(e, HistoryEncoder)})
        self.histories = frozenset(lengths if settings.behaviours_power else ())
        self.power = settings.behaviours_power
        self.dropout = Dropout(settings.embedding_dropout)
        self.backbone = backbone(len(self.names), num_domains)
        self.domain_indicator, self.heads = settings.domain_indicator, heads
        self.weights = None
        if num_weights:
            width = len(self.names) * settings.table_dim
            self.weights = DomainLinear(
                width, num_weights, num_domains, shrinkage=True, weight_init=nn.init.zeros_, bias_init=nn.init.zeros_
            )

    def weighting_layers(self) -> list[FeatureWeighting]:
        """The feature-weighting layer of each embedding set; empty if the backbone has none."""
        backbones = getattr(self.backbone, "of_set", [self.backbone])
        layers = [getattr(backbone, "adaptation", None) for backbone in backbones]
        return [layer for layer in layers if isinstance(layer, FeatureWeighting)]

    def encoder_of(self, name: str) -> HistoryEncoder | PoolingWeights | None:
        """The encoder of a feature; None if it is pooled by the plain mean."""
        key = feature_key(name)
        for encoders in (self.encoders, self.recency):
            if key in encoders:
                return encoders[key]  # type: ignore[return-value]
        return None

    def embed(self, bags: FeatureBags) -> tuple[Tensor, Tensor]:
        """Embed the features (R, F, E), and each sample's domain (R, E)."""
        if self.encoders:
            return self._joined(self.columns(bags))
        tables, tower_bags = self.tables[0], [bags[name] for name in self.names]
        source, index = tables.gather(self.sources, [bag.values for bag in tower_bags])
        weights = [self._weights(name, bag) for name, bag in zip(self.names, tower_bags, strict=True)]
        x = tables.pool(source, index, [bag.offsets for bag in tower_bags], weights)  # (R, F, E)
        return x, self._f_domain(source, index, len(x))

    def columns(self, bags: FeatureBags) -> list[Tensor]:
        """Embed each feature (R, 1, E); encoded behaviours have one vector per head (R, heads, E)."""
        tables, tower_bags = self.tables[0], [bags[name] for name in self.names]
        source, index = tables.gather(self.sources, [bag.values for bag in tower_bags])
        f_domain = self._f_domain(source, index, len(bags[DOMAIN].values))
        columns = []
        for name, bag, rows in zip(self.names, tower_bags, index, strict=True):
            if feature_key(name) in self.encoders:
                encoded = self.encoders[feature_key(name)](functional.embedding(rows, source), bag.offsets, f_domain)
                if feature_key(name) in self.histories and bag.offsets is not None:
                    encoded = encoded * (bag.offsets.diff() ** self.power)[:, None, None]
                columns.append(encoded)
            else:
                columns.append(tables.pool(source, [rows], [bag.offsets], [self._weights(name, bag)]))
        return columns

    def _weights(self, name: str, bag: Bags) -> Tensor | None:
        """The weight of each value in a feature's sum (T,); None for the plain mean."""
        key = feature_key(name)
        weights = self.recency[key](bag.offsets, len(bag.values)) if key in self.recency else None  # sum to 1 in a bag
        if bag.offsets is None or key not in self.histories:
            return weights
        lengths = bag.offsets.diff()
        scale = lengths**self.power if weights is not None else lengths ** (self.power - 1)  # (R,)
        scale = scale[bag_of_each(bag.offsets, len(bag.values))]
        return scale if weights is None else weights * scale

    def _f_domain(self, source: Tensor, index: Sequence[Tensor], rows: int) -> Tensor:
        """The embedding of each sample's domain (R, E); 0 without a domain indicator.

        A second lookup is cheaper than slicing the embedded features: the gradient of a slice is a full tensor, with
        zeros everywhere else.
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
        """The output of `forward` for features embedded by `columns`."""
        return self.run(*self._joined(columns), offsets)

    def run(self, x: Tensor, f_domain: Tensor, offsets: Offsets) -> Tensor:
        """Run the backbone on embedded features and domains: x (R, F, E), f_domain (R, E) -> (R, dim + weights)."""
        x = self.dropout(x)
        output: Tensor = self.backbone(x, f_domain, offsets)  # (R, dim)
        return output if self.weights is None else torch.cat([output, self.weights(x.flatten(1), offsets)], dim=1)


def feature_key(name: str) -> str:
    """A feature's key in a `ModuleDict`, which refuses names of its own attributes, such as "items"."""
    return f"of_{name}"
