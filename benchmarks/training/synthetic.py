"""Batches of random ids for a training step, with any number of domains and of rows in the tables, and no dataset."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch

from adi.batch import Bags, Batch, DomainCandidates, FeatureBags
from adi.data.arrays import Array
from adi.models.tower import DOMAIN
from adi.models.two_tower import TwoTower
from adi.negatives import DomainCorpus, NegativeSampler
from adi.processes.group import ALONE, Processes
from adi.training.division import all_candidates, offsets_of, own_rows, parts_of_domains
from adi.training.optimizers import TableOptimizer
from adi.training.step import Step
from benchmarks.towers import synthetic_step

SEGMENTS, CATEGORIES = 100, 1000
SKEW = 3
"""Items are drawn by this power of a uniform number: the first tenth of them gets nearly half of the samples."""


@dataclass(frozen=True)
class SyntheticFeature:
    """A feature with one value in each sample (`adi.models.tower.Feature`); `rows` are those of its table."""

    name: str
    rows: int
    kind: str = "categorical"
    length: int | None = None
    embedded_by: str | None = None


@dataclass(frozen=True)
class Synthetic:
    """Users with an id and a segment, items with an id and a category; every item can be retrieved in every domain.

    Negatives are the other positives of the batch, so that their number does not grow with the domains.
    """

    domains: int = 3
    users: int = 20_000
    items: int = 5_000
    samples: int = 4096
    processes: Processes = ALONE

    @cached_property
    def sampler(self) -> NegativeSampler:
        corpus = DomainCorpus(np.arange(self.items), np.ones(self.items, dtype=np.int64))
        return NegativeSampler([corpus] * self.domains, in_batch=True, uniform=0)

    def step(
        self,
        model: str,
        *,
        masked: bool = False,
        device: str = "cpu",
        tables: Callable[[TwoTower], TableOptimizer] | None = None,
    ) -> Step:
        """A training step of a model with fresh weights; `tables` makes the optimizer of divided tables."""
        return synthetic_step(
            [SyntheticFeature("user_id", self.users), SyntheticFeature("segment", SEGMENTS)],
            [SyntheticFeature("item_id", self.items), SyntheticFeature("category", CATEGORIES)],
            self.domains,
            model,
            masked=masked,
            device=device,
            processes=self.processes,
            tables=tables,
        )

    def batch(self, number: int) -> Batch:
        """The batch of this number, or of several processes this one's part; domains are equally likely."""
        rng = np.random.default_rng([0, number])
        domains = np.sort(rng.integers(self.domains, size=self.samples))
        positives = (self.items * rng.random(self.samples) ** SKEW).astype(np.int64)
        users = rng.integers(self.users, size=self.samples)
        offsets = np.searchsorted(domains, np.arange(self.domains + 1)).tolist()
        parts = parts_of_domains(self.processes, offsets)
        sample_rows = own_rows(parts, offsets)
        candidates: dict[int, DomainCandidates] = {}
        candidate_items = [np.empty(0, dtype=np.int64) for _ in range(self.domains)]
        for domain in np.flatnonzero(np.diff(offsets)).tolist():
            drawn = self.sampler.draw(domain, positives[offsets[domain] : offsets[domain + 1]], rng)
            candidate_items[domain] = drawn.items
            positive = drawn.positive[parts[domain]]
            candidates[domain] = DomainCandidates(
                positive=torch.from_numpy(positive),
                log_q=torch.from_numpy(drawn.log_q),
                positive_log_q=torch.from_numpy(drawn.positive_log_q[parts[domain]]),
                known=(torch.zeros(len(positive) + 1, dtype=torch.int64), torch.empty(0, dtype=torch.int64)),
            )
        sizes = [len(items) for items in candidate_items]
        item_parts = parts_of_domains(self.processes, offsets_of(sizes))
        encoded = [items[part] for items, part in zip(candidate_items, item_parts, strict=True)]
        items, counts = np.concatenate(encoded), [len(items) for items in encoded]
        item_domains = np.repeat(np.arange(self.domains), counts)
        users, domains = users[sample_rows], domains[sample_rows]
        return Batch(
            size=self.samples,
            user=_bags({"user_id": users, "segment": users % SEGMENTS, DOMAIN: domains}),
            user_offsets=tuple(np.searchsorted(domains, np.arange(self.domains + 1)).tolist()),
            item=_bags({"item_id": items, "category": items % CATEGORIES, DOMAIN: item_domains}),
            item_offsets=offsets_of(counts),
            item_log_popularity=torch.zeros(len(items)),
            candidates=candidates,
            all_candidates=all_candidates(self.processes, sizes),
        )


def _bags(values: Mapping[str, Array]) -> FeatureBags:
    return {name: Bags(torch.from_numpy(np.ascontiguousarray(ids, dtype=np.int64))) for name, ids in values.items()}
