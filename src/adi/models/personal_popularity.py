"""Personal popularity: recommends what the user took most often, for logs in which items repeat."""

from pydantic import Field
from torch import Tensor

from adi.data.arrays import Array
from adi.data.dataset import Dataset
from adi.data.profiles import RECENCY, frequencies
from adi.data.queries import Queries
from adi.models.model import FittedModel
from adi.models.profiles import Scope, histories_in, with_popularity
from adi.models.scorer import Score
from adi.strict import Strict


class PersonalPopularitySettings(Strict):
    """Settings of personal popularity.

    `scope` chooses between the history in all domains and in the query's domain. With a `recency` above 0, newer times
    count more (`adi.data.profiles`). `with_popularity` explains `domain_prior`.
    """

    scope: Scope = "all"
    recency: float = Field(RECENCY, ge=0.0)
    domain_prior: float = Field(0.0, ge=0.0)


class PersonalPopularity:
    """Scores an item by its frequency in the history, and all others by their popularity in the domain.

    It is P-TopFreq of next-basket recommendation, with recency. Where lists leave out the items of the history, only
    popularity is left of it.
    """

    def __init__(self, dataset: Dataset, settings: PersonalPopularitySettings) -> None:
        self.settings, self.corpora, self.num_items = settings, dataset.corpora, dataset.manifest.items

    def against(self, domain: int, items: Array) -> Score:
        finish = with_popularity(self.corpora, domain, items, self.settings.domain_prior)

        def score(queries: Queries) -> Tensor:
            histories = histories_in(queries, self.settings.scope)
            return finish(frequencies(histories, self.num_items, self.settings.recency)[:, items].toarray())

        return score


PERSONAL_POPULARITY = FittedModel(
    name="personal-popularity",
    summary="what the user took most often, where items repeat",
    settings=PersonalPopularitySettings,
    fit=PersonalPopularity,
    search={
        "scope": {"choices": ["all", "domain"]},
        "recency": {"low": 0.0, "high": 1.0},
        "domain_prior": {"low": 0.0, "high": 1.0},
    },
)
