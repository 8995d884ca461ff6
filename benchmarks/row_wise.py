"""The batches of `adi.training.loader`, made as most training code makes them: row by row, then collated.

A `torch.utils.data.DataLoader` asks for one row after the other; each is a small Python object, and a collate function
puts the rows of a batch together. The arrays, the negative sampler and the resulting batches are the same.
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
from torch.utils.data import Dataset as TorchDataset

from adi.batch import Bags, Batch, DomainCandidates, FeatureBags
from adi.data.arrays import Array, read_array
from adi.data.manifest import FeatureInfo
from adi.features.reader import DOMAIN
from adi.training.loader import Loader

Codes = dict[str, Array]
"""The codes of each feature of a row or of a candidate: one, or a list."""


@dataclass(frozen=True)
class Row:
    """A training row: its domain and item, its user's features, and the items that its user took in the domain."""

    domain: int
    item: int
    features: Codes
    known_items: Array


class LogRows(TorchDataset[Row]):
    """The rows, by number, of a dataset with times, with the histories that a loader reads."""

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
        items, domains, trained = log["item"][first:last], log["domain"][first:last], log["held_out"][first:last] == 0
        before = slice(max(0, row - self.lookback - first), row - first)
        history, history_domains = items[before][trained[before]], domains[before][trained[before]]
        features = {}
        for feature in self.user_features:
            if feature.kind == "behaviours":
                behaviours = history[history_domains == domain] if feature.same_domain else history
                codes = self.features["item"][str(feature.embedded_by)]
                features[feature.name] = codes[behaviours[-(feature.length or 0) :]]
            elif feature.side == "context":
                features[feature.name] = log[f"context_{feature.name}"][row : row + 1]
            else:
                features[feature.name] = self._codes("user", feature, user, domain)
        features[DOMAIN] = np.array([domain])
        return Row(domain, int(log["item"][row]), features, items[trained & (domains == domain)].astype(np.int64))

    def candidate(self, item: int, domain: int) -> Codes:
        """The features of an item as a candidate in a domain."""
        codes = {feature.name: self._codes("item", feature, item, domain) for feature in self.item_features}
        return codes | {DOMAIN: np.array([domain])}

    def _codes(self, side: Literal["user", "item"], feature: FeatureInfo, number: int, domain: int) -> Array:
        """The codes of a feature for the user or item of a number."""
        arrays, name = self.features[side], feature.name
        if feature.kind == "multi":
            offsets = arrays[f"{name}.offsets"]
            return arrays[f"{name}.values"][offsets[number] : offsets[number + 1]]
        if feature.by_domain:
            return arrays[name][number, domain : domain + 1]
        return arrays[name][number : number + 1]


def row_wise_batches(loader: Loader, epoch: int, count: int) -> Iterator[Batch]:
    """The first `count` batches of an epoch of the loader."""
    log_rows, draws = LogRows(loader), list(islice(loader.draws(epoch), count))
    generators = iter([rng for _, rng in draws])
    row_numbers = [rows.tolist() for rows, _ in draws]
    collate = _collate(loader, log_rows)
    return iter(
        DataLoader(log_rows, batch_sampler=row_numbers, collate_fn=lambda rows: collate(rows, next(generators)))
    )


def _collate(loader: Loader, log_rows: LogRows) -> Callable[[Sequence[Row], np.random.Generator], Batch]:
    num_domains, corpora = len(loader.dataset.domains), loader.dataset.corpora
    user_lists = {feature.name for feature in log_rows.user_features if feature.kind in ("multi", "behaviours")}
    item_lists = {feature.name for feature in log_rows.item_features if feature.kind == "multi"}

    def collate(rows: Sequence[Row], rng: np.random.Generator) -> Batch:
        rows_by_domain: list[list[Row]] = [[] for _ in range(num_domains)]
        for row in rows:
            rows_by_domain[row.domain].append(row)
        candidates, candidate_codes, popularity, item_offsets = {}, [], [], [0]
        for domain, domain_rows in enumerate(rows_by_domain):
            if domain_rows:
                drawn = loader.sampler.draw(domain, np.array([row.item for row in domain_rows]), rng)
                known_items = np.concatenate([row.known_items for row in domain_rows])
                offsets, columns = drawn.known(known_items, _offsets([len(row.known_items) for row in domain_rows]))
                candidates[domain] = DomainCandidates(
                    positive=torch.from_numpy(drawn.positive),
                    log_q=torch.from_numpy(drawn.log_q),
                    positive_log_q=torch.from_numpy(drawn.positive_log_q),
                    known=(torch.from_numpy(offsets), torch.from_numpy(columns)),
                )
                candidate_codes += [log_rows.candidate(item, domain) for item in drawn.items.tolist()]
                popularity.append(corpora.log_popularity(domain, drawn.items))
            item_offsets.append(len(candidate_codes))
        return Batch(
            size=len(rows),
            user=_bags([row.features for domain_rows in rows_by_domain for row in domain_rows], user_lists),
            user_offsets=tuple(_offsets([len(domain_rows) for domain_rows in rows_by_domain]).tolist()),
            item=_bags(candidate_codes, item_lists),
            item_offsets=tuple(item_offsets),
            item_log_popularity=torch.from_numpy(np.concatenate(popularity)),
            candidates=candidates,
        )

    return collate


def _bags(rows: Sequence[Codes], lists: set[str]) -> FeatureBags:
    """The features of rows as bags; the features named in `lists` have any number of codes in a row."""
    bags = {}
    for name in rows[0]:
        codes = [row[name] for row in rows]
        values: Tensor = torch.from_numpy(np.concatenate(codes).astype(np.int64))
        offsets = torch.from_numpy(_offsets([len(row_codes) for row_codes in codes])) if name in lists else None
        bags[name] = Bags(values, offsets)
    return bags


def _offsets(lengths: Sequence[int]) -> Array:
    return np.concatenate([[0], np.cumsum(lengths)])


def _arrays(folder: Path, part: str) -> dict[str, Array]:
    """The arrays in a folder of a prepared dataset, by name: plain arrays, which are faster to slice than memmaps."""
    return {path.stem: np.asarray(read_array(path)) for path in (folder / part).glob("*.npy")}
