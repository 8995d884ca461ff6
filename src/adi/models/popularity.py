"""Popularity: recommends a domain's most clicked items to every user."""

import torch
from torch import Tensor

from adi.data.arrays import Array
from adi.data.dataset import Dataset, Queries
from adi.models.model import FittedModel
from adi.models.scorer import Score
from adi.schema import Strict


class PopularitySettings(Strict):
    """Settings of popularity: none."""


class Popularity:
    """Scores an item by the number of its training rows in the query's domain."""

    def __init__(self, dataset: Dataset) -> None:
        self.corpora = dataset.corpora

    def against(self, domain: int, items: Array) -> Score:
        counts = torch.from_numpy(self.corpora.counts_of(domain, items)).double()

        def score(queries: Queries) -> Tensor:
            return counts.repeat(len(queries), 1)

        return score


POPULARITY = FittedModel(
    name="popularity",
    summary="the domain's most clicked items",
    settings=PopularitySettings,
    fit=lambda dataset, settings: Popularity(dataset),
)
