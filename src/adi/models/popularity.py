"""Popularity: every user of a domain gets the domain's most clicked items."""

import torch
from torch import Tensor

from adi.data.arrays import Array
from adi.data.dataset import Dataset, Queries
from adi.models.model import FittedModel
from adi.models.scorer import Score
from adi.schema import Strict


class PopularitySettings(Strict):
    """Popularity has nothing to set."""


class Popularity:
    """Scores an item by its training rows in the query's domain; 0 where it has none."""

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
