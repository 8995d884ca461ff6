"""One tower: the embedded features of a side, and the network that makes a vector of them."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

from adi.batch import Bags, FeatureBags, Offsets
from adi.models.encoders import EncoderFactory
from adi.models.settings import TowerSettings
from adi.nn.behaviours import HistoryEncoder, PoolingWeights
from adi.nn.dropout import Dropout
from adi.nn.embedding import EmbeddingTables, bag_of_each
from adi.nn.interest_adaptation import FeatureWeighting


class Feature(Protocol):
    """A feature as a tower needs it; `adi.data.manifest.FeatureInfo` is one."""

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
"""Makes the network of one tower from F and D; it maps (x (R, F, E), f_domain (R, E), offsets) to (R, dim).

A backbone that weighs its features first, as ADI does, has the layer as its attribute `adaptation`."""


class Tower(nn.Module):
    """One side: embeds its features, the domain indicator last, and runs its backbone on them.

    Behaviours of more than one item go through an encoder each, which `encoders` has under `settings.behaviours`. Means
    and sums by `PoolingWeights` are pooled straight from the tables; a `HistoryEncoder` gets the embedded items. The
    vector of n items is multiplied by n ** `settings.behaviours_power`. `heads` vectors are asked of each encoder.
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
    ) -> None:
        super().__init__()
        self.names = [feature.name for feature in features]
        self.sources = [feature.embedded_by or feature.name for feature in features]
        if settings.domain_indicator:
            self.names.append(DOMAIN)
            self.sources.append(DOMAIN)
        self.tables = (tables,)  # in a tuple: the model owns the tables, a tower only reads them
        lengths = {feature_key(f.name): f.length for f in features if f.length is not None and f.length > 1}
        made = {key: encoders[settings.behaviours](length, heads, settings) for key, length in lengths.items()}
        self.recency = nn.ModuleDict({k: encoder for k, encoder in made.items() if isinstance(encoder, PoolingWeights)})
        self.encoders = nn.ModuleDict(
            {k: encoder for k, encoder in made.items() if isinstance(encoder, HistoryEncoder)}
        )
        self.histories = frozenset(lengths if settings.behaviours_power else ())
        self.power = settings.behaviours_power
        self.dropout = Dropout(settings.embedding_dropout)
        self.backbone = backbone(len(self.names), num_domains)
        self.domain_indicator, self.heads = settings.domain_indicator, heads

    def weighing_layers(self) -> list[FeatureWeighting]:
        """The layer that weighs the features, of each embedding set; none where there is no such layer."""
        backbones = getattr(self.backbone, "of_set", [self.backbone])
        layers = [getattr(backbone, "adaptation", None) for backbone in backbones]
        return [layer for layer in layers if isinstance(layer, FeatureWeighting)]

    def encoder_of(self, name: str) -> HistoryEncoder | PoolingWeights | None:
        """The encoder of a feature; None for the mean of its values."""
        key = feature_key(name)
        for encoders in (self.encoders, self.recency):
            if key in encoders:
                return encoders[key]  # type: ignore[return-value]
        return None

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
                columns.append(tables.pool(source, [own], [bag.offsets], [self._weights(name, bag)]))
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
