"""User-kNN: users who took the same items are similar; a user gets what the most similar users took."""

import numpy as np
import scipy.sparse as sp
import torch
from pydantic import Field
from torch import Tensor

from adi.data.arrays import Array
from adi.data.dataset import Dataset, Queries
from adi.models.model import FittedModel
from adi.models.profiles import Scope, as_sets, fit_by_scope, profiles, with_popularity
from adi.models.scorer import Score
from adi.schema import Strict

SIMILARITIES_AT_ONCE = 1 << 23
"""Of queries to users: how many are in memory at a time."""


class UserKnnSettings(Strict):
    """Similarities between a history and each user's items, in the rows of all domains or of the query's own."""

    scope: Scope = "all"
    neighbours: int = Field(1000, ge=1)
    shrink: float = Field(5.0, ge=0.0)
    domain_prior: float = Field(0.0, ge=0.0)


class UserKnn:
    """``score(v) = sum over the nearest users u who took v of s(h, u)``, s the shrunk cosine of two sets of items.

        s(h, u) = |h and u's items| / (sqrt(|h| |u's items|) + shrink)

    h is the query's history, u's items are what u took in training, and the nearest are the `neighbours` with the
    largest s. The query's own user is none of them: what the log holds of that user may be later than the query. With
    ``scope: domain`` histories and users' items are those of the query's domain alone. For `domain_prior`, and how
    ties are broken, see `with_popularity`.

    Every query looks at every user, so that its cost grows with their number.
    """

    def __init__(self, dataset: Dataset, settings: UserKnnSettings) -> None:
        self.settings, self.corpora, self.num_items = settings, dataset.corpora, dataset.manifest.items
        self._taken = fit_by_scope(dataset, settings.scope, lambda taken: (taken, taken.T.tocsr()))

    def against(self, domain: int, items: Array) -> Score:
        taken, by_item = self._taken[domain]  # (users, items), (items, users)
        offered = taken[:, items].tocsr()  # (users, m)
        root = np.sqrt(np.diff(taken.indptr)).astype(np.float32)  # (users,)
        at_once = max(1, SIMILARITIES_AT_ONCE // len(root))
        finish = with_popularity(self.corpora, domain, items, self.settings.domain_prior)

        def score(queries: Queries) -> Tensor:
            profile = as_sets(profiles(queries, self.num_items, self.settings.scope))
            scores = np.empty((len(queries), len(items)), np.float32)
            for first in range(0, len(queries), at_once):
                part = slice(first, first + at_once)
                nearest = self._nearest(profile[part], by_item, root, queries.users[part])
                scores[part] = (nearest @ offered).toarray()
            return finish(scores)

        return score

    def _nearest(self, profile: sp.csr_array, by_item: sp.csr_array, root: Array, users: Array) -> sp.csr_array:
        """The similarity of each query to its nearest users (n, users); `root` of how many items each user took."""
        similarity = sp.csr_array(profile @ by_item)  # items in common
        row, user = np.repeat(np.arange(len(users)), np.diff(similarity.indptr)), similarity.indices
        own = np.sqrt(np.diff(profile.indptr)).astype(np.float32)
        similarity.data /= own[row] * root[user] + np.float32(self.settings.shrink)
        similarity.data[user == users[row]] = 0.0
        count = min(self.settings.neighbours, len(root))
        best = torch.topk(torch.from_numpy(similarity.toarray()), count, sorted=False)
        offsets = np.arange(0, best.indices.numel() + 1, count)
        return sp.csr_array((best.values.flatten(), best.indices.flatten(), offsets), shape=similarity.shape)


USER_KNN = FittedModel(
    name="user-knn",
    summary="what users with similar histories took",
    settings=UserKnnSettings,
    fit=UserKnn,
    search={
        "scope": {"choices": ["all", "domain"]},
        "neighbours": {"low": 50, "high": 5000, "log": True},
        "shrink": {"low": 0.5, "high": 100.0, "log": True},
        "domain_prior": {"low": 0.0, "high": 1.0},
    },
)
