"""User-kNN: recommends the items of the most similar users; similar users have items in common."""

import numpy as np
import scipy.sparse as sp
import torch
from pydantic import Field
from torch import Tensor

from adi.data.arrays import Array
from adi.data.dataset import Dataset
from adi.data.queries import Queries
from adi.models.model import FittedModel
from adi.models.profiles import Scope, binarise, fit_by_scope, profiles, with_popularity
from adi.models.scorer import Score
from adi.strict import Strict

SIMILARITIES_AT_ONCE = 1 << 23
"""Similarities between queries and users that are in memory at a time."""


class UserKnnSettings(Strict):
    """Settings of user-kNN: `scope` chooses between the rows of all domains and of the query's domain."""

    scope: Scope = "all"
    neighbours: int = Field(1000, ge=1)
    shrink: float = Field(5.0, ge=0.0)
    domain_prior: float = Field(0.0, ge=0.0)


class UserKnn:
    """``score(v) = sum of s(h, u) over the nearest users u with item v``, where s is the shrunk cosine of item sets.

        s(h, u) = |h and u's items| / (sqrt(|h| |u's items|) + shrink)

    h is the query's history, and u's items are those of u's training rows. The nearest users are the `neighbours` with
    the largest s. The query's own user is excluded, because that user's rows may be later than the query. With
    ``scope: domain``, histories and users' items are those of the query's domain only. `with_popularity` explains
    `domain_prior` and how ties are broken.

    A query is compared with every user, so that its cost grows with the number of users.
    """

    def __init__(self, dataset: Dataset, settings: UserKnnSettings) -> None:
        self.settings, self.corpora, self.num_items = settings, dataset.corpora, dataset.manifest.items
        self._interactions = fit_by_scope(
            dataset, settings.scope, lambda interactions: (interactions, interactions.T.tocsr())
        )

    def against(self, domain: int, items: Array) -> Score:
        by_user, by_item = self._interactions[domain]  # (users, items), (items, users)
        candidates = by_user[:, items].tocsr()  # (users, m)
        norms = np.sqrt(np.diff(by_user.indptr)).astype(np.float32)  # (users,)
        block = max(1, SIMILARITIES_AT_ONCE // len(norms))
        finish = with_popularity(self.corpora, domain, items, self.settings.domain_prior)

        def score(queries: Queries) -> Tensor:
            profile = binarise(profiles(queries, self.num_items, self.settings.scope))
            scores = np.empty((len(queries), len(items)), np.float32)
            for first in range(0, len(queries), block):
                part = slice(first, first + block)
                nearest = self._nearest(profile[part], by_item, norms, queries.users[part])
                scores[part] = (nearest @ candidates).toarray()
            return finish(scores)

        return score

    def _nearest(self, profile: sp.csr_array, by_item: sp.csr_array, norms: Array, users: Array) -> sp.csr_array:
        """The similarity of each query to its nearest users (n, users).

        `norms` (users,) are the square roots of the users' numbers of items, `users` (n,) those who ask.
        """
        similarity = sp.csr_array(profile @ by_item)  # items in common
        row, user = np.repeat(np.arange(len(users)), np.diff(similarity.indptr)), similarity.indices
        query_norms = np.sqrt(np.diff(profile.indptr)).astype(np.float32)
        similarity.data /= query_norms[row] * norms[user] + np.float32(self.settings.shrink)
        similarity.data[user == users[row]] = 0.0
        count = min(self.settings.neighbours, len(norms))
        top = torch.topk(torch.from_numpy(similarity.toarray()), count, sorted=False)
        offsets = np.arange(0, top.indices.numel() + 1, count)
        return sp.csr_array((top.values.flatten(), top.indices.flatten(), offsets), shape=similarity.shape)


USER_KNN = FittedModel(
    name="user-knn",
    summary="items of users with similar histories",
    settings=UserKnnSettings,
    fit=UserKnn,
    search={
        "scope": {"choices": ["all", "domain"]},
        "neighbours": {"low": 50, "high": 5000, "log": True},
        "shrink": {"low": 0.5, "high": 100.0, "log": True},
        "domain_prior": {"low": 0.0, "high": 1.0},
    },
)
