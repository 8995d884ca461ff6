"""The weights that ADI's adaptation layer gives to each feature in each domain (the paper's Fig. 5)."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from adi.data.arrays import Array
from adi.data.dataset import Dataset
from adi.models.by_domain import ScorerByDomain
from adi.models.two_tower import Weighing
from adi.models.vectors import VectorScorer
from adi.nn.interest_adaptation import FeatureWeighting

Side = Literal["user", "item"]
SIDES: tuple[Side, ...] = ("user", "item")


@dataclass(frozen=True)
class Interest:
    """The mean weights (D, F) of the features of a tower in each domain; NaN in a domain with nothing to encode.

    Of several embedding sets it is the mean of theirs.
    """

    features: tuple[str, ...]
    weights: Array


def interests(
    scorer: ScorerByDomain, dataset: Dataset, *, rows_per_domain: int = 5000, causal: bool = True
) -> dict[Side, Interest]:
    """The interests of both towers, ``{"user": ..., "item": ...}``; empty for a model that does not weigh features.

    On the user's side the mean is over test queries, at most `rows_per_domain` of each domain and evenly spread; on the
    item's over all items that can be retrieved there.
    """
    rows = dataset.rows("test")
    domains_of_rows = dataset.targets("test", rows)[2]
    by_side: dict[Side, Interest] = {}
    for side in SIDES:
        by_domain = weighing_scorers(scorer, side)
        weights = []
        for domain, (vectors, weighing) in enumerate(by_domain):
            domain_rows = rows[domains_of_rows == domain]
            spread = np.linspace(0, len(domain_rows) - 1, min(len(domain_rows), rows_per_domain)).astype(np.int64)
            with _recorded(weighing.layers) as blocks:
                if side == "user" and len(domain_rows):
                    vectors.user_vectors(domain, dataset.queries("test", domain_rows[spread], causal=causal))
                elif side == "item":
                    vectors.item_vectors(domain, dataset.corpora.retrievable(domain))
            empty = np.full(len(weighing.names), np.nan)
            weights.append(torch.cat(blocks).mean(dim=0).numpy() if blocks else empty)
        if by_domain:
            by_side[side] = Interest(by_domain[0][1].names, np.stack(weights))
    return by_side


def weighing_scorers(scorer: ScorerByDomain, side: Side) -> list[tuple[VectorScorer, Weighing]]:
    """The scorer of each domain, and the layers of its tower that weigh features; empty for a model without such."""
    by_domain = []
    for domain_scorer in scorer.scorers:
        weighing = domain_scorer.model.weighing(side) if isinstance(domain_scorer, VectorScorer) else None
        if weighing is None or not isinstance(domain_scorer, VectorScorer):
            return []
        by_domain.append((domain_scorer, weighing))
    return by_domain


@contextmanager
def zeroed(scorer: ScorerByDomain, side: Side, feature: int) -> Iterator[None]:
    """Within the block, networks get 0 for a feature of a side, in every domain and whatever the layer makes of it."""

    def zero(_: nn.Module, __: tuple[object, ...], output: Tensor) -> Tensor:
        output = output.clone()  # (R, F, E)
        output[:, feature] = 0
        return output

    with ExitStack() as stack:
        for layer in {layer for _, weighing in weighing_scorers(scorer, side) for layer in weighing.layers}:
            stack.callback(layer.register_forward_hook(zero).remove)
        yield


@contextmanager
def _recorded(layers: Sequence[FeatureWeighting]) -> Iterator[list[Tensor]]:
    """The weights (R, F) of each block of rows that the layers see within the block."""
    blocks: list[Tensor] = []

    def record(layer: FeatureWeighting, inputs: tuple[Tensor, tuple[int, ...]], __: Tensor) -> None:
        blocks.append(layer.weights(*inputs))

    with ExitStack() as stack:
        for layer in layers:
            stack.callback(layer.register_forward_hook(record).remove)
        yield blocks
