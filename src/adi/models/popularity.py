"""Popularity: recommends a domain's most clicked items to every user, of all training rows or of late."""

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from adi.data.arrays import Array
from adi.data.corpora import Corpora
from adi.data.dataset import Dataset
from adi.data.manifest import Manifest
from adi.data.queries import Queries
from adi.durations import OFF, Duration, DurationOrOff, in_log_time
from adi.models.counters import click_shares, position_of, tensor
from adi.models.model import FittedModel
from adi.models.scorer import Score, Scorer
from adi.strict import Strict


class PopularitySettings(Strict):
    """Settings of popularity.

    With `half_life`, clicks count by their age: at the moment of the query where the schema has trends, which it is one
    of; elsewhere at the newest training row. By default it is off, but where the log drifts, the half-life that
    `adi prepare` measured (`adi.preparation.drift`).
    """

    half_life: DurationOrOff | None = None


class Popularity:
    """Scores an item by the number of its training rows in the query's domain, of which newer ones count more with a
    `half_life`."""

    def __init__(self, dataset: Dataset, half_life: Duration | None = None) -> None:
        self.corpora = dataset.corpora if half_life is None else _decayed(dataset, half_life)

    def against(self, domain: int, items: Array) -> Score:
        counts = torch.from_numpy(self.corpora.counts_of(domain, items)).double()

        def score(queries: Queries) -> Tensor:
            return counts.repeat(len(queries), 1)

        return score


def _decayed(dataset: Dataset, half_life: Duration) -> Corpora:
    """The corpora, in which a training row counts 2^(-age / half_life); the age is from the newest training row."""
    length = in_log_time(half_life, dataset.manifest.time, name="half_life")
    rows = dataset.rows("train")
    times = dataset.times("train")[rows]
    _, items, domains = dataset.targets("train", rows)
    weights = np.exp2((times - times.max()) / length)
    counts = []
    for domain, corpus in enumerate(dataset.corpora.items):
        here = domains == domain
        positions = np.searchsorted(corpus, items[here].astype(corpus.dtype))
        counts.append(np.bincount(positions, weights=weights[here], minlength=len(corpus)))
    return replace(dataset.corpora, counts=counts)


class RecentPopularity:
    """Scores an item by its decayed clicks in the query's domain at the query's moment."""

    def __init__(self, life: int) -> None:
        self.life = life

    def against(self, domain: int, items: Array) -> Score:
        def score(queries: Queries) -> Tensor:
            return tensor(click_shares(queries, domain, items, self.life))

        return score


def _check(dataset: Dataset, settings: PopularitySettings) -> None:
    half_life = half_life_for(dataset.manifest, settings)
    if half_life is not None:
        if dataset.manifest.trend is None:
            in_log_time(half_life, dataset.manifest.time, name="half_life")
        else:
            position_of(half_life, dataset, dataset.manifest.trend.half_lives, name="half_life")


def _fit(dataset: Dataset, settings: PopularitySettings) -> Scorer:
    half_life, trend = half_life_for(dataset.manifest, settings), dataset.manifest.trend
    if half_life is None or trend is None:
        return Popularity(dataset, half_life)
    return RecentPopularity(position_of(half_life, dataset, trend.half_lives, name="half_life"))


def half_life_for(manifest: Manifest, settings: PopularitySettings) -> Duration | None:
    """The half-life of popularity on a dataset; None for clicks of all time."""
    if settings.half_life is None:
        return manifest.drift.half_life if manifest.drift else None
    return None if settings.half_life == OFF else settings.half_life


POPULARITY = FittedModel(
    name="popularity",
    summary="the domain's most clicked items, of all time or of late",
    settings=PopularitySettings,
    fit=_fit,
    check=_check,
)
