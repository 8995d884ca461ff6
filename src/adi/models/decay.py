"""Training rows that count less the older they are: by half for each half-life."""

from dataclasses import replace

import numpy as np

from adi.data.arrays import Array
from adi.data.corpora import Corpora, with_all_domains
from adi.data.dataset import Dataset
from adi.data.manifest import Manifest
from adi.durations import OFF, DurationOrOff, in_log_time

ROWS_OF_ITEM = 3
"""Rows for each item of a domain that counts by age have at least, by scaling them."""


def half_life_for(manifest: Manifest, given: DurationOrOff | None) -> DurationOrOff:
    """The half-life that was given; by default off, or where the log drifts, that which `adi prepare` measured."""
    if given is not None:
        return given
    return manifest.drift.half_life if manifest.drift else OFF


def decay(dataset: Dataset, half_life: DurationOrOff, *, name: str = "half_life") -> Array | None:
    """The weight of each training row (n,): 2^(-age / half_life), where the newest training row has the age 0.

    None if the half-life is off. `name` is that of the setting, in errors. Raises `AdiError` for a log without time and
    for a half-life that does not fit its unit.
    """
    if half_life == OFF:
        return None
    length = in_log_time(half_life, dataset.manifest.time, name=name)
    times = dataset.times("train")[dataset.rows("train")]
    decayed: Array = np.exp2((times - times.max()) / length)
    return decayed


def decayed_corpora(dataset: Dataset, half_life: DurationOrOff, *, pooled: bool = False) -> Corpora:
    """The corpora of a dataset, with counts of training rows by their age; those of all time if it is off.

    With `pooled`, all domains have a say in the counts of each (`adi.data.corpora.with_all_domains`). A domain whose
    rows then count less than `ROWS_OF_ITEM` for each item has its counts scaled up to that: the one row that is added
    for every item in the log of a share (`Corpora.log_popularity`) would else level them.
    """
    weights = decay(dataset, half_life)
    if weights is None:
        return dataset.corpora
    _, items, domains = dataset.targets("train", dataset.rows("train"))
    everywhere = np.bincount(items, weights=weights, minlength=dataset.manifest.items)
    counts = []
    for domain, corpus in enumerate(dataset.corpora.items):
        here = domains == domain
        positions = np.searchsorted(corpus, items[here].astype(corpus.dtype))
        counted = np.bincount(positions, weights=weights[here], minlength=len(corpus))
        if pooled:
            counted = with_all_domains(counted, everywhere[corpus])
        least = ROWS_OF_ITEM * len(corpus)
        if 0 < counted.sum() < least:
            counted = counted / counted.sum() * least
        counts.append(counted)
    return replace(dataset.corpora, counts=counts)
