"""Recall of click counters on a log with timestamps: the baseline to beat where items are news.

Three counters, by domain and in the mean over domains:

- last hour, frozen: an item's training clicks in the domain in the 60 minutes before the first test click, ranked by
  the protocol of `adi evaluate`. Left out unless the split is by time.
- live counts: an item's clicks in the domain with exponential decay, updated once a minute while the test goes on.
- live counts and co-clicks: the same plus decayed counts of the items that users clicked soon after those at the end of
  the query's history.

Lists leave out the items in a user's history unless the data has repeats. Live counters see the test clicks of the
minutes before, which no trained model does. Co-clicks take memory quadratic in the number of items.

Usage: python examples/counters.py PREPARED [--half-life MINUTES] [-k K]
"""

import argparse
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from adi.data.arrays import Array
from adi.data.dataset import Dataset
from adi.data.queries import Queries
from adi.evaluation.evaluate import evaluate
from adi.models.scorer import Score

HOUR = 3600.0  # seconds
CO_CLICK_HALF_LIFE = 120.0  # minutes
RECENT_ITEMS = 3  # items at the end of a history that have co-clicks
AGE_FACTOR = 0.7  # weight of each of them relative to the next newer one
SMOOTHING = 5.0  # added to an item's total of co-clicks, so that a few of them weigh little


@dataclass(frozen=True)
class Clicks:
    """All n clicks of a prepared dataset, oldest first; every array is (n,)."""

    users: Array
    items: Array
    domains: Array
    seconds: Array
    is_test: Array


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("prepared", type=Path)
    parser.add_argument("--half-life", type=float, default=30.0, metavar="MINUTES", help="of live counts (default: 30)")
    parser.add_argument("-k", type=int, default=50, help="length of a list (default: 50)")
    options = parser.parse_args()
    dataset = Dataset(options.prepared, all_rows=True)
    if dataset.manifest.time != "timestamp":
        parser.error(f"{options.prepared}: the log has no timestamps, which counters by the minute need")
    clicks = read_clicks(dataset)

    rows = {}
    start = clicks.seconds[clicks.is_test].min()
    if clicks.seconds[~clicks.is_test].max() < start:
        metrics = evaluate(RecentCounts(dataset, since=start - HOUR), dataset, ks=(options.k,))
        recall = [measures[f"recall@{options.k}"] for measures in metrics.domains.values()]
        rows["last hour, frozen"] = np.array(recall, dtype=np.float64)  # None, of a domain without test rows, is NaN
    for name, weight in (("live counts", 0.0), ("live counts and co-clicks", 1.0)):
        counters = LiveCounters(len(dataset.domains), dataset.manifest.items, options.half_life, weight)
        rows[name] = live_recall(counters, dataset, clicks, options.k)

    print(f"| recall@{options.k} | {' | '.join(dataset.domains)} | mean |\n|---|{'---|' * (len(dataset.domains) + 1)}")
    for name, values in rows.items():
        print(f"| {name} | {' | '.join(f'{value:.3f}' for value in (*values, np.nanmean(values)))} |")


def read_clicks(dataset: Dataset) -> Clicks:
    log, test = np.arange(dataset.num_rows), dataset.rows("test")
    columns = zip(dataset.targets("train", log), dataset.targets("test", test), strict=True)
    users, items, domains = (np.concatenate(parts) for parts in columns)
    seconds = np.concatenate([seconds_of(dataset, "interactions"), seconds_of(dataset, "test")])
    is_test = np.arange(len(seconds)) >= len(log)
    order = np.argsort(seconds, kind="stable")
    return Clicks(users[order], items[order], domains[order], seconds[order], is_test[order])


def seconds_of(dataset: Dataset, folder: str) -> Array:
    seconds: Array = np.load(dataset.folder / folder / "time.npy") / 1e6  # stored as microseconds
    return seconds


class RecentCounts:
    """A `Scorer` by an item's training clicks in the domain from `since` (seconds) on; ties by all training clicks."""

    def __init__(self, dataset: Dataset, since: float) -> None:
        rows = dataset.rows("train")
        _, items, domains = dataset.targets("train", rows)
        is_recent = seconds_of(dataset, "interactions")[rows] >= since
        recent, total = np.zeros((2, len(dataset.domains), dataset.manifest.items), dtype=np.float32)
        np.add.at(recent, (domains[is_recent], items[is_recent]), 1)
        np.add.at(total, (domains, items), 1)
        self.scores = torch.from_numpy(recent + total / (total.max() + 1))  # (D, items)

    def against(self, domain: int, items: Array) -> Score:
        scores = self.scores[domain, torch.from_numpy(items)]  # (m,)

        def score(queries: Queries) -> Tensor:
            return scores.repeat(len(queries), 1)  # (n, m)

        return score


class LiveCounters:
    """Decayed counts of clicks by domain and item, and of co-clicks: what users clicked soon after an item.

    Args:
        half_life: of counts, in minutes.
        co_click_weight: weight of co-clicks relative to counts, both as shares; 0: counts alone.
    """

    def __init__(self, num_domains: int, num_items: int, half_life: float, co_click_weight: float) -> None:
        self.counts = np.zeros((num_domains, num_items))
        self.co_clicks = np.zeros((num_items, num_items), dtype=np.float32)  # (item, clicked soon after)
        self.half_life = half_life
        self.co_click_weight = co_click_weight

    def decay(self, minutes: float) -> None:
        self.counts *= 0.5 ** (minutes / self.half_life)
        if self.co_click_weight:
            self.co_clicks *= 0.5 ** (minutes / CO_CLICK_HALF_LIFE)

    def add(self, domains: Array, items: Array, co_clicks: list[tuple[int, int]]) -> None:
        np.add.at(self.counts, (domains, items), 1)
        if self.co_click_weight and co_clicks:
            np.add.at(self.co_clicks, tuple(np.transpose(co_clicks)), 1)

    def scores(self, domain: int, recent: list[int]) -> Array:
        """Scores (items,) of all items in a domain for a user whose `recent` items are oldest first."""
        scores: Array = self.counts[domain] / max(self.counts[domain].sum(), 1e-9)
        if self.co_click_weight:
            for age, item in enumerate(reversed(recent)):
                share = self.co_clicks[item] / (self.co_clicks[item].sum() + SMOOTHING)
                scores += self.co_click_weight * AGE_FACTOR**age * share
        return scores


def live_recall(counters: LiveCounters, dataset: Dataset, clicks: Clicks, k: int) -> Array:
    """Recall@k (D,) of counters that are updated after each minute of the log."""
    histories: defaultdict[int, list[int]] = defaultdict(list)
    hits: list[list[bool]] = [[] for _ in dataset.domains]
    minutes = clicks.seconds // 60
    now = minutes[0]
    for rows in np.split(np.arange(len(minutes)), np.flatnonzero(np.diff(minutes)) + 1):
        counters.decay(minutes[rows[0]] - now)
        now = minutes[rows[0]]
        co_clicks = []
        for row in rows:
            item, domain, history = clicks.items[row], clicks.domains[row], histories[clicks.users[row]]
            recent = history[-RECENT_ITEMS:]
            if clicks.is_test[row]:
                scores = counters.scores(domain, recent)
                target = scores[item]
                if not dataset.manifest.repeats:
                    scores[history] = -np.inf
                    scores[item] = target
                ahead = (scores > target).sum() + ((scores == target).sum() - 1) / 2
                hits[domain].append(ahead < k)
            co_clicks += [(earlier, item) for earlier in recent]
            history.append(item)
        counters.add(clicks.domains[rows], clicks.items[rows], co_clicks)
    return np.array([np.mean(of_domain) if of_domain else np.nan for of_domain in hits])


if __name__ == "__main__":
    main()
