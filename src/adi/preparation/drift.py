"""The drift of a log: whether the newest rows say more about what comes next than all rows do.

Popularity says it, which is quick to count: with clicks that halve with their age, and without, on the validation rows,
where these are the newest. The half-life is the one by which these are most likely. Recall asks only for the most
popular items: where validation rows were few, it chose a shorter one, with which trained models were worse.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np

from adi.data.arrays import Array, read_array
from adi.data.corpora import with_all_domains
from adi.data.manifest import DriftInfo
from adi.durations import half_lives_of, in_log_time, worth

K = 50
GAIN = 1.5
"""A log drifts where popularity of late finds so many times more of the validation rows."""

SURE = 3.0
"""Standard errors above 0 of a gain that is no chance: more than usual, since the best of several half-lives is looked
at, and rows of one user are alike."""

ROWS_AT_ONCE = 1 << 22


def drift_of(folder: Path, time: Literal["timestamp", "number"] | None) -> DriftInfo | None:
    """The drift of the rows and corpora that are written in a folder; None without, and where it can be chance."""
    if time is None:
        return None
    log = _Log(folder)
    if not len(log.validation):
        return None
    hits_of_all = log.hits(log.clicks(None))
    newest = max(float(log.time[rows].max()) for rows in log.training())
    oldest = min(float(log.time[rows].min()) for rows in log.training())
    span = newest - oldest
    lengths = {life: in_log_time(life, time, name="half_life") for life in half_lives_of(span, time)}
    clicks = {life: log.clicks((newest, length)) for life, length in lengths.items()}
    if not clicks:
        return None
    best = max(clicks, key=lambda life: log.likelihood(clicks[life]))
    hits = log.hits(clicks[best])
    recall, recall_of_all = log.mean(hits), log.mean(hits_of_all)
    if recall < GAIN * recall_of_all or not _is_sure(hits, hits_of_all):
        return None
    rows = worth(sum(len(rows) for rows in log.training()), lengths[best], span)
    return DriftInfo(half_life=best, recall=recall, recall_of_all=recall_of_all, rows=rows)


def _is_sure(hits: Array, others: Array) -> bool:
    """Whether more rows are hits of the first alone than of the other alone, by far more than by chance (McNemar)."""
    gained, lost = int((hits & ~others).sum()), int((others & ~hits).sum())
    return gained > lost and (gained - lost) ** 2 > SURE**2 * (gained + lost)


class _Log:
    """The rows of training and validation that are written in a folder."""

    def __init__(self, folder: Path) -> None:
        columns = ("item", "domain", "time", "held_out")
        self.item, self.domain, self.time, self.held_out = (
            read_array(folder / "interactions" / f"{name}.npy") for name in columns
        )
        self.offsets = read_array(folder / "corpus" / "offsets.npy")
        self.eligible = read_array(folder / "corpus" / "eligible.npy")
        self.corpus = _keys(*(read_array(folder / "corpus" / f"{name}.npy") for name in ("domain", "item")))
        self.validation = np.flatnonzero(self.held_out)

    def training(self) -> Iterator[Array]:
        """The numbers of the training rows, a block at a time."""
        for first in range(0, len(self.held_out), ROWS_AT_ONCE):
            rows = first + np.flatnonzero(self.held_out[first : first + ROWS_AT_ONCE] == 0)
            if len(rows):
                yield rows

    def mean(self, values: Array) -> float:
        """The mean over the domains of values of the validation rows (n,), such as hits, whose mean is the recall."""
        domains = self.domain[self.validation]
        return float(np.mean([values[domains == domain].mean() for domain in np.unique(domains)]))

    def clicks(self, decay: tuple[float, float] | None) -> Array:
        """The training rows of each item of each corpus; with `decay`, by their age at a moment, with a half-life."""
        clicks = np.zeros(len(self.corpus))
        for rows in self.training():
            weights = None if decay is None else np.exp2((self.time[rows] - decay[0]) / decay[1])
            clicks += np.bincount(self._positions(rows), weights=weights, minlength=len(clicks))
        return clicks

    def hits(self, clicks: Array) -> Array:
        """Whether each validation row's item is among the 50 eligible ones with most clicks in its domain (n,)."""
        clicks = np.where(self.eligible, clicks, -1)
        listed = np.zeros(len(clicks), dtype=bool)
        for first, last in zip(self.offsets[:-1], self.offsets[1:], strict=True):
            listed[first + np.argsort(-clicks[first:last], kind="stable")[:K]] = True
        hits: Array = listed[self._positions(self.validation)]
        return hits

    def likelihood(self, clicks: Array) -> float:
        """The log-likelihood of the validation rows by clicks, the mean over the domains with such rows.

        The probability of an item is its share of the clicks in its domain, with one more for every item and those of
        all domains (`adi.data.corpora.with_all_domains`).
        """
        items = self.corpus & 0xFFFFFFFF
        everywhere = np.bincount(items, weights=clicks)
        logs = np.zeros(len(clicks))
        for first, last in zip(self.offsets[:-1], self.offsets[1:], strict=True):
            counted = with_all_domains(clicks[first:last], everywhere[items[first:last]]) + 1
            logs[first:last] = np.log(counted / counted.sum())
        return self.mean(logs[self._positions(self.validation)])

    def _positions(self, rows: Array) -> Array:
        """The positions of the items of rows in the corpora of their domains."""
        return np.searchsorted(self.corpus, _keys(self.domain[rows], self.item[rows]))


def _keys(domain: Array, item: Array) -> Array:
    return domain.astype(np.int64) << 32 | item
