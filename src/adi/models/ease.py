"""EASE: a linear model from the items of a history to all items, in closed form (Steck 2019)."""

import numpy as np
import scipy.sparse as sp
import torch
from pydantic import Field
from torch import Tensor

from adi.data.arrays import Array
from adi.data.dataset import Dataset, Queries
from adi.errors import AdiError
from adi.models.model import FittedModel
from adi.models.profiles import Scope, as_sets, fit_by_scope, profiles, with_popularity
from adi.models.scorer import Score
from adi.schema import Strict


class EaseSettings(Strict):
    """Weights between items that explain the training rows, of all domains or of each alone; `l2` keeps them small."""

    scope: Scope = "all"
    l2: float = Field(300.0, gt=0.0)
    max_items: int = Field(20_000, ge=1)
    domain_prior: float = Field(0.0, ge=0.0)


class Ease:
    """``score(v) = sum over h in the history of B_hv`` (Steck 2019, https://arxiv.org/abs/1905.03375, eq. 8).

        B = argmin |X - X B|^2 + l2 |B|^2 with a diagonal of 0    =>    B_ij = -P_ij / P_jj,   P = (X'X + l2 I)^-1

    X is 1 where a user took an item in training, else 0. With ``scope: domain`` X and histories are those of the
    query's domain alone. An item that nobody took scores 0. For `domain_prior`, and how ties are broken, see
    `with_popularity`.

    B has a number for each pair of items, and its cost grows with the third power of their number: 1.6 GB and minutes
    for 20,000 items.

    Raises `AdiError` for more than `max_items` items.
    """

    def __init__(self, dataset: Dataset, settings: EaseSettings) -> None:
        check_size(dataset, settings)
        self.settings, self.corpora, self.num_items = settings, dataset.corpora, dataset.manifest.items
        self._fitted = fit_by_scope(dataset, settings.scope, lambda taken: item_weights(taken, settings.l2))

    def against(self, domain: int, items: Array) -> Score:
        known, weights = self._fitted[domain]
        place = np.full(self.num_items, -1)
        place[known] = np.arange(len(known))
        offered = np.flatnonzero(place[items] >= 0)
        finish = with_popularity(self.corpora, domain, items, self.settings.domain_prior)

        def score(queries: Queries) -> Tensor:
            profile = as_sets(profiles(queries, self.num_items, self.settings.scope))
            scores = np.zeros((len(queries), len(items)), np.float32)
            scores[:, offered] = (profile[:, known] @ weights)[:, place[items[offered]]]
            return finish(scores)

        return score


def item_weights(taken: sp.csr_array, l2: float) -> tuple[Array, Array]:
    """The items that anybody took (k,) and their B (k, k), given (users, items) of ones."""
    known = np.unique(taken.indices)
    own = taken[:, known]
    gram = torch.from_numpy((own.T @ own).toarray())
    gram.diagonal().add_(l2)
    factor, failed = torch.linalg.cholesky_ex(gram)
    if failed:
        raise AdiError(f"ease: l2 = {l2} is too small to solve for the weights of {len(known):,} items. Raise it.")
    inverse = torch.cholesky_inverse(factor)  # P
    inverse /= -inverse.diagonal().clone()
    inverse.fill_diagonal_(0)
    return known, inverse.numpy()


def check_size(dataset: Dataset, settings: EaseSettings) -> None:
    """Raises `AdiError` where a matrix of weights would have more than `max_items` items."""
    _, items, domains = dataset.targets("train", dataset.rows("train"))
    groups = [items] if settings.scope == "all" else [items[domains == d] for d in range(len(dataset.domains))]
    most = max(len(np.unique(group)) for group in groups)
    if most > settings.max_items:
        raise AdiError(
            f"ease: {most:,} items were taken in training, and max_items is {settings.max_items:,}. A weight for each "
            f"pair of them takes {most**2 * 4 / 1e9:,.1f} GB of memory, and three times that to compute. Choose "
            "item-knn, which keeps the nearest pairs alone, or raise max_items."
        )


EASE = FittedModel(
    name="ease",
    summary="linear weights between items, in closed form",
    settings=EaseSettings,
    fit=Ease,
    check=check_size,
    search={
        "scope": {"choices": ["all", "domain"]},
        "l2": {"low": 10.0, "high": 3000.0, "log": True},
        "domain_prior": {"low": 0.0, "high": 1.0},
    },
)
