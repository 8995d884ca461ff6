"""Batches of random ids for a step of training, with any number of domains and rows of tables, and no dataset."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

from adi.batch import Bags, Batch, DomainCandidates, FeatureBags
from adi.data.arrays import Array
from adi.models.catalog import TrainedModel, build_towers
from adi.models.two_tower import DOMAIN
from adi.negatives import DomainCorpus, NegativeSampler
from adi.training.device import device_named
from adi.training.settings import TrainingSettings
from adi.training.step import Step

NETWORKS = (256, 128, 64)
SEGMENTS, CATEGORIES = 100, 1000
SKEW = 3
"""Items are drawn by the power of a uniform number: the first tenth of them gets nearly half of the samples."""


@dataclass(frozen=True)
class SyntheticFeature:
    """What a tower needs to know of a feature with one value for each sample."""

    name: str
    rows: int
    kind: str = "categorical"
    length: int | None = None
    embedded_by: str | None = None


@dataclass(frozen=True)
class Synthetic:
    """Users with an id and a segment, items with an id and a category; every item can be retrieved in every domain.

    Negatives are the other positives of the batch, so that the work does not grow with the domains.
    """

    domains: int = 3
    users: int = 20_000
    items: int = 5_000
    samples: int = 4096
    seed: int = 0
    sampler: NegativeSampler = field(init=False, repr=False)

    def __post_init__(self) -> None:
        corpus = DomainCorpus(np.arange(self.items), np.ones(self.items, dtype=np.int64))
        object.__setattr__(self, "sampler", NegativeSampler([corpus] * self.domains, in_batch=True, uniform=0))

    def features(self) -> tuple[Sequence[SyntheticFeature], Sequence[SyntheticFeature]]:
        """Of users, and of items."""
        return (
            [SyntheticFeature("user_id", self.users), SyntheticFeature("segment", SEGMENTS)],
            [SyntheticFeature("item_id", self.items), SyntheticFeature("category", CATEGORIES)],
        )

    def batch(self, number: int) -> Batch:
        """The batch of a number; domains are equally likely."""
        rng = np.random.default_rng([self.seed, number])
        domains = np.sort(rng.integers(self.domains, size=self.samples))
        positives = (self.items * rng.random(self.samples) ** SKEW).astype(np.int64)
        users = rng.integers(self.users, size=self.samples)
        offsets = np.searchsorted(domains, np.arange(self.domains + 1))
        candidates: dict[int, DomainCandidates] = {}
        items: list[Array] = []
        for domain in np.flatnonzero(np.diff(offsets)).tolist():
            drawn = self.sampler.draw(domain, positives[offsets[domain] : offsets[domain + 1]], rng)
            none = np.zeros(len(drawn.positive) + 1, dtype=np.int64), np.empty(0, dtype=np.int64)
            candidates[domain] = DomainCandidates(
                positive=torch.from_numpy(drawn.positive),
                log_q=torch.from_numpy(drawn.log_q),
                positive_log_q=torch.from_numpy(drawn.positive_log_q),
                known=(torch.from_numpy(none[0]), torch.from_numpy(none[1])),
            )
            items.append(drawn.items)
        counts = np.zeros(self.domains, dtype=np.int64)
        counts[list(candidates)] = [len(own) for own in items]
        chosen = np.concatenate(items)
        item_domains = np.repeat(np.arange(self.domains), counts)
        return Batch(
            size=self.samples,
            user=_bags({"user_id": users, "segment": users % SEGMENTS, DOMAIN: domains}),
            user_offsets=tuple(offsets.tolist()),
            item=_bags({"item_id": chosen, "category": chosen % CATEGORIES, DOMAIN: item_domains}),
            item_offsets=(0, *np.cumsum(counts).tolist()),
            item_log_popularity=torch.zeros(len(chosen)),
            candidates=candidates,
        )

    def step(self, kind: TrainedModel, device: str = "cpu") -> Step:
        """A step of a model with fresh weights, by the default settings but for the size of its networks."""
        torch.manual_seed(self.seed)
        settings = kind.settings(**{**kind.defaults, "networks": NETWORKS})
        model = build_towers(kind, *self.features(), self.domains, settings)
        return Step(model.to(device_named(device)).train(), TrainingSettings())


def _bags(values: dict[str, Array]) -> FeatureBags:
    return {name: Bags(torch.from_numpy(np.ascontiguousarray(own, dtype=np.int64))) for name, own in values.items()}
