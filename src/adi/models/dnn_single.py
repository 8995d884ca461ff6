"""DNN-Single: an independent YouTubeDNN per domain, trained on that domain's samples only (ADI section 5.1.2)."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

import torch
from torch import Tensor, nn

from adi.batch import FeatureBags, Offsets
from adi.data.manifest import TrendSizes
from adi.models.dnn import DNN
from adi.models.encoders import EncoderFactory
from adi.models.settings import TowerSettings
from adi.models.tower import DOMAIN, Backbone, Feature
from adi.models.two_tower import OneDomain, SharedTowers, TwoTower, embedding_tables
from adi.nn.domain_parameter import by_domain
from adi.nn.embedding import Neighbours
from adi.nn.synchronised import Synchronised


class DnnSingle(Synchronised, TwoTower):
    """A pair of towers per domain in one run. Domains share no weights, not even embeddings.

    The tables take D times the memory: a feature of n rows has D n, and domain d uses the n rows from row d n on. A
    sample goes through its own domain's towers only. Its input is the same as in the other models and includes
    behaviours in other domains.
    """

    tables_by_domain = True

    def __init__(
        self,
        *,
        user_features: Sequence[Feature],
        item_features: Sequence[Feature],
        num_domains: int,
        backbone: Backbone,
        encoders: Mapping[str, EncoderFactory],
        settings: TowerSettings,
        neighbours: Neighbours | None = None,
        trend_sizes: TrendSizes | None = None,
    ) -> None:
        super().__init__()
        features = [*user_features, *item_features]
        rows = {feature.name: feature.rows for feature in features}
        self.rows = {feature.name: rows[feature.embedded_by or feature.name] for feature in features}
        self.rows[DOMAIN] = 0  # no copies: this table already has one row for each domain
        self.tables = embedding_tables(features, num_domains, settings, neighbours, copies=num_domains)
        self.temperature = settings.temperature
        self.of_domain = nn.ModuleList(
            SharedTowers(
                user_features=user_features,
                item_features=item_features,
                num_domains=1,
                backbone=backbone,
                encoders=encoders,
                settings=settings,
                tables=self.tables,
                trend_sizes=trend_sizes,
            )
            for _ in range(num_domains)
        )

    @property
    def knows_domain(self) -> bool:
        return True

    def encode_users(self, bags: FeatureBags, offsets: Offsets) -> Tensor:
        parts = self._split(bags, offsets)
        return self._encoded(
            offsets, lambda d, rows: self._towers(d).encode_users(parts[d], (0, rows.stop - rows.start))
        )

    def encode_items(self, bags: FeatureBags, offsets: Offsets, log_popularity: Tensor) -> Tensor:
        parts = self._split(bags, offsets)
        return self._encoded(
            offsets,
            lambda d, rows: self._towers(d).encode_items(parts[d], (0, rows.stop - rows.start), log_popularity[rows]),
        )

    @property
    def has_trends(self) -> bool:
        return self._towers(0).has_trends

    @property
    def audience_dim(self) -> int:
        return self._towers(0).audience_dim

    def trend_coordinates(self, features: Tensor, domain: int, audiences: Tensor | None = None) -> Tensor:
        return self._towers(domain).trend_coordinates(features, 0, audiences)

    def trend_parts(self, features: Tensor, domain: int) -> tuple[Tensor, Tensor | None]:
        return self._towers(domain).trend_parts(features, 0)

    def co_click_scores(self, co_clicks: Tensor, features: Tensor, domain: int) -> Tensor:
        return self._towers(domain).co_click_scores(co_clicks, features, 0)

    def by_set(self, users: Tensor, items: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        return self._towers(0).by_set(users, items)

    def of_one_domain(self, domain: int) -> OneDomain:
        towers = self._towers(domain).of_one_domain(0)
        return replace(towers, first={name: first + domain * self.rows[name] for name, first in towers.first.items()})

    def _towers(self, domain: int) -> SharedTowers:
        return self.of_domain[domain]  # type: ignore[return-value]

    def _encoded(self, offsets: Offsets, encode: Callable[[int, slice], Tensor]) -> Tensor:
        """The vectors of each domain's rows. Several processes look rows up together: each does for every domain."""
        if not (self.training and self.processes.several):
            return by_domain(offsets, encode)
        encoded = [encode(domain, slice(start, stop)) for domain, (start, stop) in enumerate(pairwise(offsets))]
        return torch.cat([part if len(part) else part.detach() for part in encoded])

    def _split(self, bags: FeatureBags, offsets: Offsets) -> list[FeatureBags]:
        """Split bags by domain; their values become rows of the domain's copy of the tables."""
        parts: list[FeatureBags] = [{} for _ in self.of_domain]
        for name, bag in bags.items():
            for domain, (start, stop) in enumerate(pairwise(offsets)):
                part = bag.part(start, stop)
                parts[domain][name] = replace(part, values=part.values + domain * self.rows[name])
        return parts


DNN_SINGLE = replace(
    DNN,
    name="dnn-single",
    summary="an independent network per domain, nothing shared (one YouTubeDNN each)",
    towers=DnnSingle,
    defaults={"keep": "domain"},  # as separate trainings, each of which ends at its own best epoch
)
