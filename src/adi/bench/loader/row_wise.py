"""The batches of `adi.training.loader`, made as most training code makes them: row by row, then collated.

A `torch.utils.data.DataLoader` asks for one row after the other; each is a small object of Python, and a collate
function puts the rows of a batch together. The arrays, the negative sampler and the batches are the same.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as Rows

from adi.batch import Bags, Batch, DomainCandidates, FeatureBags
from adi.data.arrays import Array, read_array
from adi.data.manifest import FeatureInfo
from adi.features.reader import DOMAIN
from adi.training.loader import Loader

Codes = dict[str, Array]
"""The codes of each feature of a row or of a candidate; one code, or a list."""


@dataclass(frozen=True)
class Row:
    """A training row: its domain and item, the features of its user, and what else that user took in the domain."""

    domain: int
    item: int
    features: Codes
    known: Array


class LogRows(Rows[Row]):
    """The rows of a dataset with times, by number, with the histories that the loader reads."""

    def __init__(self, loader: Loader) -> None:
        self.dataset, self.lookback = loader.dataset, loader.reader.lookback
        self.user_features, self.item_features = loader.reader.user_features, loader.reader.item_features
        self.log = _arrays(self.dataset.folder, "interactions")
        self.features: dict[str, dict[str, Array]] = {
            side: _arrays(self.dataset.folder, f"features/{side}") for side in ("user", "item")
        }

    def __getitem__(self, row: int) -> Row:
        log = self.log
        user, domain = int(log["user"][row]), int(log["domain"][row])
        first, last = int(log["user_offsets"][user]), int(log["user_offsets"][user + 1])
        taken, domains, trained = log["item"][first:last], log["domain"][first:last], log["held_out"][first:last] == 0
        history = slice(max(0, row - self.lookback - first), row - first)
        items, places = taken[history][trained[history]], domains[history][trained[history]]
        features = {}
        for feature in self.user_features:
            if feature.kind == "behaviours":
                own = items[places == domain] if feature.same_domain else items
                features[feature.name] = self.features["item"][str(feature.embedded_by)][own[-(feature.length or 0) :]]
            elif feature.side == "context":
                features[feature.name] = log[f"context_{feature.name}"][row : row + 1]
            else:
                features[feature.name] = self._codes("user", feature, user, domain)
        features[DOMAIN] = np.array([domain])
        return Row(domain, int(log["item"][row]), features, taken[trained & (domains == domain)].astype(np.int64))

    def candidate(self, item: int, domain: int) -> Codes:
        """The features of one candidate."""
        codes = {feature.name: self._codes("item", feature, item, domain) for feature in self.item_features}
        return codes | {DOMAIN: np.array([domain])}

    def _codes(self, side: Literal["user", "item"], feature: FeatureInfo, entity: int, domain: int) -> Array:
        arrays, name = self.features[side], feature.name
        if feature.kind == "multi":
            offsets = arrays[f"{name}.offsets"]
            return arrays[f"{name}.values"][offsets[entity] : offsets[entity + 1]]
        if feature.by_domain:
            return arrays[name][entity, domain : domain + 1]
        return arrays[name][entity : entity + 1]


def row_wise_batches(loader: Loader, epoch: int, count: int) -> Iterator[Batch]:
    """The first `count` batches of an epoch of the loader."""
    rows, draws = LogRows(loader), list(islice(loader.draws(epoch), count))
    sources = iter([rng for _, rng in draws])
    numbers = [own.tolist() for own, _ in draws]
    collate = _collate(loader, rows)
    return iter(DataLoader(rows, batch_sampler=numbers, collate_fn=lambda own: collate(own, next(sources))))


def _collate(loader: Loader, source: LogRows) -> Callable[[Sequence[Row], np.random.Generator], Batch]:
    num_domains, corpora = len(loader.dataset.domains), loader.dataset.corpora

    def collate(rows: Sequence[Row], rng: np.random.Generator) -> Batch:
        by_domain: list[list[Row]] = [[] for _ in range(num_domains)]
        for row in rows:
            by_domain[row.domain].append(row)
        candidates, codes, popularity, item_offsets = {}, [], [], [0]
        for domain, own in enumerate(by_domain):
            if own:
                drawn = loader.sampler.draw(domain, np.array([row.item for row in own]), rng)
                known = np.concatenate([row.known for row in own])
                offsets, columns = drawn.known(known, _cuts([len(row.known) for row in own]))
                candidates[domain] = DomainCandidates(
                    positive=torch.from_numpy(drawn.positive),
                    log_q=torch.from_numpy(drawn.log_q),
                    positive_log_q=torch.from_numpy(drawn.positive_log_q),
                    known=(torch.from_numpy(offsets), torch.from_numpy(columns)),
                )
                codes += [source.candidate(item, domain) for item in drawn.items.tolist()]
                popularity.append(corpora.log_popularity(domain, drawn.items))
            item_offsets.append(len(codes))
        ordered = [row for own in by_domain for row in own]
        user_lists = {feature.name for feature in source.user_features if feature.kind in ("multi", "behaviours")}
        item_lists = {feature.name for feature in source.item_features if feature.kind == "multi"}
        return Batch(
            size=len(rows),
            user=_bags([row.features for row in ordered], user_lists),
            user_offsets=tuple(_cuts([len(own) for own in by_domain]).tolist()),
            item=_bags(codes, item_lists),
            item_offsets=tuple(item_offsets),
            item_log_popularity=torch.from_numpy(np.concatenate(popularity)),
            candidates=candidates,
        )

    return collate


def _bags(rows: Sequence[Codes], lists: set[str]) -> FeatureBags:
    """The features of rows as bags; `lists` are those that have several codes."""
    bags = {}
    for name in rows[0]:
        own = [row[name] for row in rows]
        values: Tensor = torch.from_numpy(np.concatenate(own).astype(np.int64))
        bags[name] = Bags(values, torch.from_numpy(_cuts([len(one) for one in own])) if name in lists else None)
    return bags


def _cuts(lengths: Sequence[int]) -> Array:
    return np.concatenate([[0], np.cumsum(lengths)])


def _arrays(folder: Path, part: str) -> dict[str, Array]:
    """The arrays of a part of a prepared dataset, mapped, by name; as plain arrays, which are faster to cut."""
    return {path.stem: np.asarray(read_array(path)) for path in (folder / part).glob("*.npy")}
