"""MIND: several vectors per user, one for each interest (Li et al. 2019, https://arxiv.org/abs/1904.08030).

In training, a user's vector is the mean of the interests weighted by their score for the positive (label-aware
attention). At retrieval, the score of an item is the maximum over the interests.

The paper extracts interests by dynamic routing, which starts from random numbers and iterates without gradients. This
implementation uses several attention heads over the history (as ComiRec-SA does, Cen et al. 2020): a single pass,
learned throughout, that depends on the age of an item and on the domain.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import torch
from pydantic import Field
from torch import Tensor

from adi.batch import FeatureBags, Offsets
from adi.errors import AdiError
from adi.models.dnn import DnnBackbone, DnnSettings
from adi.models.encoders import EncoderFactory
from adi.models.model import TrainedModel
from adi.models.settings import TOWER_SEARCH
from adi.models.tower import Backbone, Feature, Tower
from adi.models.two_tower import SharedTowers
from adi.nn.embedding import EmbeddingTables


class MindSettings(DnnSettings):
    """Settings of MIND: `interests` is the number of vectors per user.

    `sharpness` is how strongly label-aware attention prefers the interest that matches the positive best; 0 weights
    all alike.
    """

    behaviours: Literal["attention", "transformer"] = "attention"
    interests: int = Field(4, ge=1)
    sharpness: float = Field(4.0, ge=0.0)


class InterestTower(Tower):
    """A user tower that runs its backbone once per interest; only the vectors of behaviours differ between the runs.

    Shapes:
        bags of R samples, D + 1 offsets -> (R, interests, dim)
    """

    def __init__(
        self,
        features: Sequence[Feature],
        num_domains: int,
        tables: EmbeddingTables,
        backbone: Backbone,
        encoders: Mapping[str, EncoderFactory],
        settings: MindSettings,
        *,
        num_weights: int = 0,
    ) -> None:
        super().__init__(
            features,
            num_domains,
            tables,
            backbone,
            encoders,
            settings,
            heads=settings.interests,
            num_weights=num_weights,
        )
        if not self.encoders:
            raise AdiError(
                "mind extracts interests from behaviours of more than one item, and the schema has no such user "
                "feature. Add a feature of kind behaviours, or choose another model, such as dnn."
            )

    def forward(self, bags: FeatureBags, offsets: Offsets) -> Tensor:
        return self.from_columns(self.columns(bags), offsets)

    def from_columns(self, columns: Sequence[Tensor], offsets: Offsets) -> Tensor:
        by_interest = [column.expand(-1, self.heads, -1) for column in columns]  # F of (R, interests, E)
        x = torch.stack(by_interest, dim=2)  # (R, interests, F, E)
        last = by_interest[-1]  # (R, interests, E)
        f_domain = last if self.domain_indicator else torch.zeros_like(last)
        vectors = self.run(x.flatten(0, 1), f_domain.flatten(0, 1), tuple(self.heads * offset for offset in offsets))
        return vectors.view(-1, self.heads, vectors.shape[1])


class Mind(SharedTowers):
    """Shared towers with a multi-interest user tower.

    Shapes:
        encode_users: (B, interests, dim)
        queries: users (n, interests, dim), each user's positive item (n, dim) -> (n, dim)
        scores: users (n, interests, dim), items (m, dim) -> (n, m)
    """

    user_side = InterestTower

    def __init__(self, *, settings: MindSettings, **parts: Any) -> None:
        super().__init__(settings=settings, **parts)
        self.sharpness = settings.sharpness / settings.temperature

    def queries(self, users: Tensor, items: Tensor) -> Tensor:
        affinity = torch.einsum("nid,nd->ni", users, items)
        return torch.einsum("ni,nid->nd", (self.sharpness * affinity).softmax(dim=1), users)

    def scores(self, users: Tensor, items: Tensor, added: Tensor | None = None) -> Tensor:
        scores = None
        for number, interest in enumerate(users.unbind(1)):
            of_interest = super().scores(interest, items, None if added is None else added[:, number])
            scores = of_interest if scores is None else torch.maximum(scores, of_interest)
        assert scores is not None
        return scores


MIND = TrainedModel(
    name="mind",
    summary="dnn with several vectors per user, one for each interest",
    settings=MindSettings,
    backbone=DnnBackbone,
    towers=Mind,
    search={name: values for name, values in TOWER_SEARCH.items() if name != "behaviours"}
    | {"interests": {"choices": [2, 4, 8]}},
)
