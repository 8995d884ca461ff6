"""Popularity: recommends a domain's most clicked items to every user, of all training rows or of late."""

import torch
from torch import Tensor

from adi.data.arrays import Array
from adi.data.dataset import Dataset
from adi.data.queries import Queries
from adi.durations import Duration
from adi.models.counters import click_shares, position_of, tensor
from adi.models.model import FittedModel
from adi.models.scorer import Score, Scorer
from adi.strict import Strict


class PopularitySettings(Strict):
    """Settings of popularity.

    With `half_life`, clicks count by their age at the moment of the query; it is one of the schema's ``trend``.
    """

    half_life: Duration | None = None


class Popularity:
    """Scores an item by the number of its training rows in the query's domain."""

    def __init__(self, dataset: Dataset) -> None:
        self.corpora = dataset.corpora

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
    if settings.half_life is not None:
        half_lives = dataset.manifest.trend.half_lives if dataset.manifest.trend else ()
        position_of(settings.half_life, dataset, half_lives, name="half_life")


def _fit(dataset: Dataset, settings: PopularitySettings) -> Scorer:
    if settings.half_life is None:
        return Popularity(dataset)
    half_lives = dataset.manifest.trend.half_lives if dataset.manifest.trend else ()
    return RecentPopularity(position_of(settings.half_life, dataset, half_lives, name="half_life"))


POPULARITY = FittedModel(
    name="popularity",
    summary="the domain's most clicked items, of all time or of late",
    settings=PopularitySettings,
    fit=_fit,
    check=_check,
)
