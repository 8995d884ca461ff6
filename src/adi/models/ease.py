"""EASE: a linear model from the items of a history to all items, solved in closed form (Steck 2019, 2020)."""

import numpy as np
import scipy.sparse as sp
import torch
from pydantic import Field
from torch import Tensor

from adi.data.arrays import Array
from adi.data.dataset import Dataset
from adi.data.queries import Queries
from adi.errors import AdiError
from adi.models.model import FittedModel
from adi.models.profiles import Scope, binarise, fit_by_scope, profiles, with_popularity
from adi.models.scorer import Score
from adi.strict import Strict


class EaseSettings(Strict):
    """Settings of EASE: `scope` is the rows that weights are fitted to, `l2` and `dropout` regularise them."""

    scope: Scope = "all"
    l2: float = Field(100.0, gt=0.0)
    dropout: float = Field(0.5, ge=0.0, lt=1.0)
    max_items: int = Field(20_000, ge=1)
    domain_prior: float = Field(0.0, ge=0.0)


class Ease:
    """``score(v) = sum over h in the history of B_hv`` (Steck 2019, https://arxiv.org/abs/1905.03375, eq. 8).

        B = argmin |X - X B|^2 + sum_ij L_i B_ij^2 with a diagonal of 0    =>    B_ij = -P_ij / P_jj,   P = (X'X + L)^-1

        L_i = l2 + n_i dropout / (1 - dropout)

    X (users, items) is 1 where a user interacted with an item in training, else 0; n_i is the number of users of item
    i. The second part of L gives, but for a factor, the B that predicts best where each item of a history is left out
    with the probability `dropout`, in the mean over all draws (Steck 2020, "Autoencoders that don't overfit towards the
    Identity"). With ``scope: domain``, X and the histories contain only interactions in the query's domain.
    An item without interactions scores 0. `with_popularity` explains `domain_prior` and how ties are broken.

    B has a number for each pair of items, and the time to solve for it grows with the cube of the number of items:
    20,000 items take 1.6 GB and minutes.

    Raises `AdiError` for more than `max_items` items.
    """

    def __init__(self, dataset: Dataset, settings: EaseSettings) -> None:
        check_size(dataset, settings)
        self.settings, self.corpora, self.num_items = settings, dataset.corpora, dataset.manifest.items
        self._weights = fit_by_scope(
            dataset, settings.scope, lambda interactions: item_weights(interactions, settings.l2, settings.dropout)
        )

    def against(self, domain: int, items: Array) -> Score:
        known, weights = self._weights[domain]
        column_of = np.full(self.num_items, -1)
        column_of[known] = np.arange(len(known))
        scored = np.flatnonzero(column_of[items] >= 0)
        finish = with_popularity(self.corpora, domain, items, self.settings.domain_prior)

        def score(queries: Queries) -> Tensor:
            profile = binarise(profiles(queries, self.num_items, self.settings.scope))
            scores = np.zeros((len(queries), len(items)), np.float32)
            scores[:, scored] = (profile[:, known] @ weights)[:, column_of[items[scored]]]
            return finish(scores)

        return score


def item_weights(interactions: sp.csr_array, l2: float, dropout: float) -> tuple[Array, Array]:
    """Solve for B, given interactions (users, items) of ones.

    Returns the items that have interactions (k,), and their weights B (k, k).
    """
    known = np.unique(interactions.indices)
    x = interactions[:, known]
    gram = torch.from_numpy((x.T @ x).toarray())
    gram.diagonal().mul_(1 / (1 - dropout)).add_(l2)
    factor, failed = torch.linalg.cholesky_ex(gram)
    if failed:
        raise AdiError(f"ease: l2 = {l2} is too small to solve for the weights of {len(known):,} items. Raise it.")
    inverse = torch.cholesky_inverse(factor)  # P
    inverse /= -inverse.diagonal().clone()
    inverse.fill_diagonal_(0)
    return known, inverse.numpy()


def check_size(dataset: Dataset, settings: EaseSettings) -> None:
    """Raise `AdiError` if a matrix of weights would have more than `max_items` items."""
    _, items, domains = dataset.targets("train", dataset.rows("train"))
    groups = [items] if settings.scope == "all" else [items[domains == d] for d in range(len(dataset.domains))]
    most = max(len(np.unique(group)) for group in groups)
    if most > settings.max_items:
        raise AdiError(
            f"ease: {most:,} items have training rows, and max_items is {settings.max_items:,}. A weight for each pair "
            f"of them takes {most**2 * 4 / 1e9:,.1f} GB of memory, and three times that to compute. Choose item-knn, "
            "which keeps only the nearest pairs, or raise max_items."
        )


EASE = FittedModel(
    name="ease",
    summary="linear weights between items, in closed form",
    settings=EaseSettings,
    fit=Ease,
    check=check_size,
    search={
        "scope": {"choices": ["all", "domain"]},
        "l2": {"low": 1.0, "high": 1000.0, "log": True},
        "dropout": {"low": 0.0, "high": 0.9},
        "domain_prior": {"low": 0.0, "high": 1.0},
    },
)
