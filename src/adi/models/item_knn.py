"""Item-kNN: recommends items similar to those in the user's history; similar items have users in common."""

from pydantic import Field
from torch import Tensor

from adi.data.arrays import Array
from adi.data.dataset import Dataset
from adi.data.queries import Queries
from adi.models.model import FittedModel
from adi.models.profiles import Scope, fit_by_scope, profiles, with_popularity
from adi.models.scorer import Score
from adi.models.similarity import cosine_similarity
from adi.strict import Strict


class ItemKnnSettings(Strict):
    """Settings of item-kNN: `scope` chooses between the training rows of all domains and of the query's domain."""

    scope: Scope = "all"
    neighbours: int = Field(1000, ge=1)
    shrink: float = Field(20.0, ge=0.0)
    domain_prior: float = Field(0.0, ge=0.0)


class ItemKnn:
    """``score(v) = sum over h in the history of s(h, v)``, where s is the shrunk cosine of the items' sets of users.

        s(a, b) = |users of a and b| / (sqrt(|users of a| |users of b|) + shrink),   s(a, a) = 0

    Each item keeps only its `neighbours` largest similarities. With ``scope: domain``, users, histories and
    similarities are those of the query's domain only. `with_popularity` explains `domain_prior` and how ties are
    broken.
    """

    def __init__(self, dataset: Dataset, settings: ItemKnnSettings) -> None:
        self.settings, self.corpora, self.num_items = settings, dataset.corpora, dataset.manifest.items
        self._similarities = fit_by_scope(
            dataset,
            settings.scope,
            lambda interactions: cosine_similarity(
                interactions, shrink=settings.shrink, neighbours=settings.neighbours
            ),
        )

    def against(self, domain: int, items: Array) -> Score:
        similarity = self._similarities[domain][:, items].tocsr()
        finish = with_popularity(self.corpora, domain, items, self.settings.domain_prior)

        def score(queries: Queries) -> Tensor:
            profile = profiles(queries, self.num_items, self.settings.scope)
            return finish((profile @ similarity).toarray())

        return score


ITEM_KNN = FittedModel(
    name="item-knn",
    summary="items that share users with those of the history",
    settings=ItemKnnSettings,
    fit=ItemKnn,
    search={
        "scope": {"choices": ["all", "domain"]},
        "neighbours": {"low": 50, "high": 5000, "log": True},
        "shrink": {"low": 1.0, "high": 300.0, "log": True},
        "domain_prior": {"low": 0.0, "high": 1.0},
    },
)
