"""What each domain looks at: the weights that ADI's adaptation layer gives to the features (the paper's Fig. 5)."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from adi.data.arrays import Array
from adi.data.dataset import Dataset
from adi.models.by_domain import ScorerByDomain
from adi.models.scorer import Scorer
from adi.models.two_tower import SharedTowers, Tower
from adi.models.vectors import VectorScorer
from adi.nn.embedding_sets import EmbeddingSets
from adi.nn.interest_adaptation import AttentionAdaptation, SEAdaptation

Weighing = AttentionAdaptation | SEAdaptation
"""The layers that give a feature one weight; a linear adaptation scales each of its numbers by another."""

SIDES = ("user", "item")


@dataclass(frozen=True)
class Interest:
    """The mean weights (D, F) of the features of a tower in each domain; NaN in a domain with nothing to encode.

    Of several embedding sets it is the mean of theirs.
    """

    features: tuple[str, ...]
    weights: Array


def interests(
    scorer: Scorer, dataset: Dataset, *, rows_per_domain: int = 5000, causal: bool = True
) -> dict[str, Interest]:
    """The interests of both towers, ``{"user": ..., "item": ...}``; empty for a model that does not weigh features.

    On the user's side the mean is over test queries, at most `rows_per_domain` of each domain and evenly spread; on the
    item's over all items that can be retrieved there.
    """
    rows = dataset.rows("test")
    domains_of = dataset.targets("test", rows)[2]
    found: dict[str, Interest] = {}
    for side in SIDES:
        towers = weighing_towers(scorer, side, len(dataset.domains))
        weights = []
        for domain, (vectors, tower) in enumerate(towers):
            own = rows[domains_of == domain]
            own = own[np.linspace(0, len(own) - 1, min(len(own), rows_per_domain)).astype(np.int64)]
            with _looking(tower) as seen:
                if side == "user" and len(own):
                    vectors.user_vectors(domain, dataset.queries("test", own, causal=causal))
                elif side == "item":
                    vectors.item_vectors(domain, dataset.corpora.retrievable(domain))
            weights.append(torch.cat(seen).mean(dim=0).numpy() if seen else np.full(len(tower.names), np.nan))
        if towers:
            found[side] = Interest(tuple(towers[0][1].names), np.stack(weights))
    return found


def weighing_towers(scorer: Scorer, side: str, num_domains: int) -> list[tuple[VectorScorer, Tower]]:
    """The scorer of each domain and its tower; none where a tower has no layer that weighs its features."""
    scorers = scorer.scorers if isinstance(scorer, ScorerByDomain) else (scorer,) * num_domains
    towers = [
        (one, one.model.user_tower if side == "user" else one.model.item_tower)
        for one in scorers
        if isinstance(one, VectorScorer) and isinstance(one.model, SharedTowers)
    ]
    weigh = [bool(_layers(tower)) for _, tower in towers]
    return towers if len(towers) == num_domains and all(weigh) else []


def _layers(tower: Tower) -> list[Weighing]:
    """The layer that weighs the features, of each embedding set; none where a tower has no such layer."""
    backbones = tower.backbone.of_set if isinstance(tower.backbone, EmbeddingSets) else [tower.backbone]
    layers = [getattr(backbone, "adaptation", None) for backbone in backbones]
    return [layer for layer in layers if isinstance(layer, Weighing)]


@contextmanager
def zeroed(scorer: Scorer, side: str, feature: int, num_domains: int) -> Iterator[None]:
    """Within the block, networks get 0 for a feature of a side, in every domain and whatever the layer makes of it."""

    def zero(_: nn.Module, __: tuple[object, ...], output: Tensor) -> Tensor:
        output = output.clone()  # (R, F, E)
        output[:, feature] = 0
        return output

    with ExitStack() as stack:
        towers = weighing_towers(scorer, side, num_domains)
        for layer in {layer for _, tower in towers for layer in _layers(tower)}:
            stack.callback(layer.register_forward_hook(zero).remove)
        yield


@contextmanager
def _looking(tower: Tower) -> Iterator[list[Tensor]]:
    """The weights (R, F) of each block of rows that the tower encodes within the block, once for each embedding set."""
    seen: list[Tensor] = []

    def look(layer: nn.Module, inputs: tuple[Tensor, tuple[int, ...]], __: Tensor) -> None:
        assert isinstance(layer, Weighing)
        seen.append(layer.weights(*inputs))

    with ExitStack() as stack:
        for layer in _layers(tower):
            stack.callback(layer.register_forward_hook(look).remove)
        yield seen
