"""Followers of items: which items users take soon after an item, and sequential rules, the model of them alone.

    w(a, b) = sum over each time that a user takes b, k <= 10 items after a, of 1 / k
    s(a, b) = w(a, b) / (sum over all items v of w(a, v) + 10),   s(a, a) = 0

With a half-life, each time counts by its age (`adi.models.decay`).

Sequential rules are a simple model of sessions that is hard to beat (Ludewig and Jannach, Evaluation of Session-based
Recommendation Algorithms, UMUAI 2018).
"""

import numpy as np
import scipy.sparse as sp
from pydantic import Field
from torch import Tensor

from adi.data.arrays import Array
from adi.data.dataset import Dataset
from adi.data.profiles import AGE_FACTOR, recent_profiles
from adi.data.queries import Queries
from adi.durations import OFF, DurationOrOff, in_log_time
from adi.errors import AdiError
from adi.models.decay import decay, decayed_corpora, half_life_for
from adi.models.model import FittedModel
from adi.models.profiles import Scope, histories_in, with_popularity
from adi.models.scorer import Score
from adi.strict import Strict

DISTANCE = 10
"""The largest number of items from an item to one that follows it."""

SHRINK = 10.0
"""Weight added to that of all followers of an item, so that a few of them are no large share."""


class SequentialRulesSettings(Strict):
    """Settings of sequential rules.

    `scope` chooses between the order of a user's items in all domains and in the query's domain. An item of the history
    counts `age_factor` times as much as the next newer one. `with_popularity` explains `domain_prior`. With
    `half_life`, training rows count by their age; by default where the log drifts (`adi.models.decay`).
    """

    scope: Scope = "all"
    distance: int = Field(DISTANCE, ge=1)
    shrink: float = Field(SHRINK, ge=0.0)
    age_factor: float = Field(AGE_FACTOR, ge=0.0, le=1.0)
    domain_prior: float = Field(0.0, ge=0.0)
    half_life: DurationOrOff | None = None


def followers_by_scope(
    dataset: Dataset,
    scope: Scope,
    *,
    distance: int = DISTANCE,
    shrink: float = SHRINK,
    half_life: DurationOrOff = OFF,
) -> list[sp.csr_array]:
    """The shares s (items, items) of the followers of each item for each domain, counted from the training rows.

    With ``scope: all`` they are the same for all domains.
    """
    users, items, domains = dataset.targets("train", dataset.rows("train"))
    decayed, num_items = decay(dataset, half_life), dataset.manifest.items
    worth = np.ones(len(users), dtype=np.float32) if decayed is None else decayed.astype(np.float32)
    if scope == "all":
        return [_shares(users, items, worth, num_items, distance, shrink)] * len(dataset.domains)
    parts = (domains == domain for domain in range(len(dataset.domains)))
    return [_shares(users[part], items[part], worth[part], num_items, distance, shrink) for part in parts]


def _shares(users: Array, items: Array, worth: Array, num_items: int, distance: int, shrink: float) -> sp.csr_array:
    """The shares of followers in rows of users (n,), one user after the other, each in the order of time.

    A row counts `worth` (n,) as a follower of those before it.
    """
    weights = sp.csr_array((num_items, num_items), dtype=np.float32)
    for k in range(1, distance + 1):
        follows = (users[k:] == users[:-k]) & (items[k:] != items[:-k])
        pairs = (items[:-k][follows], items[k:][follows])
        added = worth[k:][follows] / np.float32(k)
        weights = weights + sp.csr_array(sp.coo_array((added, pairs), shape=weights.shape))
    totals: Array = np.repeat(weights.sum(axis=1), np.diff(weights.indptr))
    shares = weights.data / (totals + np.float32(shrink))
    return sp.csr_array((shares, weights.indices, weights.indptr), shape=weights.shape)


class SequentialRules:
    """``score(v) = sum over items h of the history of age_factor^later(h) s(h, v)``, with the shares of followers s.

    ``later(h)`` is the number of newer items in the history. `with_popularity` breaks ties, with the same half-life.
    """

    def __init__(self, dataset: Dataset, settings: SequentialRulesSettings) -> None:
        _check(dataset, settings)
        half_life = half_life_for(dataset.manifest, settings.half_life)
        self.settings, self.num_items = settings, dataset.manifest.items
        self.corpora = decayed_corpora(dataset, half_life)
        self._shares = followers_by_scope(
            dataset, settings.scope, distance=settings.distance, shrink=settings.shrink, half_life=half_life
        )

    def against(self, domain: int, items: Array) -> Score:
        shares = self._shares[domain][:, items].tocsr()
        finish = with_popularity(self.corpora, domain, items, self.settings.domain_prior)

        def score(queries: Queries) -> Tensor:
            histories = histories_in(queries, self.settings.scope)
            profile = recent_profiles(histories, self.num_items, self.settings.age_factor)
            return finish((profile @ shares).toarray())

        return score


def _check(dataset: Dataset, settings: SequentialRulesSettings) -> None:
    if dataset.manifest.time is None:
        raise AdiError(
            f"{dataset.folder}: sequential rules need the order of a user's rows, and the log has no time. Choose "
            "item-knn, or give the schema a time."
        )
    if settings.half_life not in (None, OFF):
        in_log_time(settings.half_life, dataset.manifest.time, name="half_life")


SEQUENTIAL_RULES = FittedModel(
    name="sequential-rules",
    summary="items that users take soon after the last ones of the history",
    settings=SequentialRulesSettings,
    fit=SequentialRules,
    check=_check,
    search={
        "scope": {"choices": ["all", "domain"]},
        "distance": {"low": 1, "high": 30, "log": True},
        "shrink": {"low": 1.0, "high": 100.0, "log": True},
        "age_factor": {"low": 0.5, "high": 1.0},
        "domain_prior": {"low": 0.0, "high": 1.0},
    },
)
