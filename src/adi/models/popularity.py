"""Popularity: recommends a domain's most clicked items to every user, of all training rows or of late."""

import torch
from torch import Tensor

from adi.data.arrays import Array
from adi.data.dataset import Dataset
from adi.data.queries import Queries
from adi.durations import OFF, DurationOrOff, in_log_time
from adi.models.counters import click_shares, position_of, tensor
from adi.models.decay import decayed_corpora, half_life_for
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

    def __init__(self, dataset: Dataset, half_life: DurationOrOff = OFF) -> None:
        self.corpora = decayed_corpora(dataset, half_life)

    def against(self, domain: int, items: Array) -> Score:
        counts = torch.from_numpy(self.corpora.counts_of(domain, items)).double()

        def score(queries: Queries) -> Tensor:
            return counts.repeat(len(queries), 1)

        return score


class RecentPopularity:
    """Scores an item by its decayed clicks in the query's domain at the query's moment."""

    def __init__(self, life: int) -> None:
        self.life = life

    def against(self, domain: int, items: Array) -> Score:
        def score(queries: Queries) -> Tensor:
            return tensor(click_shares(queries, domain, items, self.life))

        return score


def _check(dataset: Dataset, settings: PopularitySettings) -> None:
    half_life = half_life_for(dataset.manifest, settings.half_life)
    if half_life != OFF:
        if dataset.manifest.trend is None:
            in_log_time(half_life, dataset.manifest.time, name="half_life")
        else:
            position_of(half_life, dataset, dataset.manifest.trend.half_lives, name="half_life")


def _fit(dataset: Dataset, settings: PopularitySettings) -> Scorer:
    half_life, trend = half_life_for(dataset.manifest, settings.half_life), dataset.manifest.trend
    if half_life == OFF or trend is None:
        return Popularity(dataset, half_life)
    return RecentPopularity(position_of(half_life, dataset, trend.half_lives, name="half_life"))


POPULARITY = FittedModel(
    name="popularity",
    summary="the domain's most clicked items, of all time or of late",
    settings=PopularitySettings,
    fit=_fit,
    check=_check,
)
