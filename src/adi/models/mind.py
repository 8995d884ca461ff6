"""MIND: a user has a vector for each interest (Li et al. 2019, https://arxiv.org/abs/1904.08030).

In training the interests stand for the user as the positive weighs them (label-aware attention); a score is that of the
interest which likes the item best.

The paper finds interests by dynamic routing, whose starts are random numbers and whose rounds carry no gradient. Ours
reads the history out by attention, several times (as ComiRec-SA does, Cen et al. 2020): one pass, learned throughout,
and it knows how recent an item is and what the domain looks at.
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
    """`interests` are the vectors of a user; `sharpness` is how closely training keeps to the best of them."""

    behaviours: Literal["attention", "transformer"] = "attention"
    interests: int = Field(4, ge=1)
    sharpness: float = Field(4.0, ge=0.0)


class InterestTower(Tower):
    """Runs its backbone once for each interest: on that reading of the behaviours, all else being equal.

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
    ) -> None:
        super().__init__(features, num_domains, tables, backbone, encoders, settings, heads=settings.interests)
        if not self.encoders:
            raise AdiError(
                "mind reads interests from behaviours of more than one item, and no user feature is one. Add a feature "
                "of kind behaviours to the schema, or choose another model, such as dnn."
            )

    def forward(self, bags: FeatureBags, offsets: Offsets) -> Tensor:
        return self.from_columns(self.columns(bags), offsets)

    def from_columns(self, columns: Sequence[Tensor], offsets: Offsets) -> Tensor:
        readings = [column.expand(-1, self.heads, -1) for column in columns]
        x = torch.stack(readings, dim=2)  # (R, interests, F, E)
        f_domain = readings[-1] if self.domain_indicator else torch.zeros_like(readings[-1])  # (R, interests, E)
        vectors = self.run(x.flatten(0, 1), f_domain.flatten(0, 1), tuple(self.heads * offset for offset in offsets))
        return vectors.view(-1, self.heads, vectors.shape[1])


class Mind(SharedTowers):
    """Shared towers whose user tower has several interests.

    Shapes:
        encode_users: (B, interests, dim)
        queries: users (n, interests, dim), the item of each (n, dim) -> (n, dim)
        scores: users (n, interests, dim), items (m, dim) -> (n, m)
    """

    user_side = InterestTower

    def __init__(self, *, settings: MindSettings, **parts: Any) -> None:
        super().__init__(settings=settings, **parts)
        self.sharpness = settings.sharpness / settings.temperature

    def queries(self, users: Tensor, items: Tensor) -> Tensor:
        liking = torch.einsum("nid,nd->ni", users, items)
        return torch.einsum("ni,nid->nd", (self.sharpness * liking).softmax(dim=1), users)

    def scores(self, users: Tensor, items: Tensor) -> Tensor:
        best, *others = users.unbind(1)
        scores = best @ items.T  # (n, m)
        for interest in others:
            scores = torch.maximum(scores, interest @ items.T)
        return scores


MIND = TrainedModel(
    name="mind",
    summary="dnn with a user vector for each of several interests",
    settings=MindSettings,
    backbone=DnnBackbone,
    towers=Mind,
    search={name: values for name, values in TOWER_SEARCH.items() if name != "behaviours"}
    | {"interests": {"choices": [2, 4, 8]}},
)
