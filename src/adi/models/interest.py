"""Domain interest: the weight of each feature in each domain in ADI's adaptation layer (the paper's Fig. 5)."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from adi.data.arrays import Array
from adi.data.dataset import Dataset
from adi.models.scorer import ScorerByDomain
from adi.models.two_tower import WeightedFeatures
from adi.models.vectors import VectorScorer
from adi.nn.interest_adaptation import FeatureWeighting

Side = Literal["user", "item"]
SIDES: tuple[Side, ...] = ("user", "item")


@dataclass(frozen=True)
class Interest:
    """Mean weights (D, F) of a tower's features in each domain; NaN in a domain without rows to encode.

    With several embedding sets, the weights are the mean over the sets.
    """

    features: tuple[str, ...]
    weights: Array


def interests(
    scorer: ScorerByDomain, dataset: Dataset, *, rows_per_domain: int = 5000, causal: bool = True
) -> dict[Side, Interest]:
    """The interests of both towers, ``{"user": ..., "item": ...}``; empty for a model without feature weights.

    User features are averaged over the test queries, at most `rows_per_domain` per domain and evenly spread; item
    features over all items that can be retrieved in the domain.
    """
    rows = dataset.rows("test")
    domains_of_rows = dataset.targets("test", rows)[2]
    by_side: dict[Side, Interest] = {}
    for side in SIDES:
        by_domain = weighted_features(scorer, side)
        weights = []
        for domain, (vectors, weighted) in enumerate(by_domain):
            domain_rows = rows[domains_of_rows == domain]
            spread = np.linspace(0, len(domain_rows) - 1, min(len(domain_rows), rows_per_domain)).astype(np.int64)
            of_rows: Tensor | None = None
            with _recorded(weighted.layers) as blocks:
                if side == "user" and len(domain_rows):
                    vectors.user_vectors(domain, dataset.queries("test", domain_rows[spread], causal=causal))
                    of_rows = _over_sets(blocks)
                elif side == "item":
                    items = dataset.corpora.retrievable(domain)
                    for _ in vectors.item_blocks(domain, items[vectors.processes.shares(len(items))]):
                        pass  # the weights are recorded, and the vectors of no use
                    of_rows = vectors.processes.rejoined(_over_sets(blocks), len(items))
            empty = np.full(len(weighted.names), np.nan)
            weights.append(empty if of_rows is None else of_rows.mean(dim=0).numpy())
        if by_domain:
            by_side[side] = Interest(by_domain[0][1].names, np.stack(weights))
    return by_side


def weighted_features(scorer: ScorerByDomain, side: Side) -> list[tuple[VectorScorer, WeightedFeatures]]:
    """Each domain's scorer with its feature-weighting layers; empty for a model without such layers."""
    by_domain = []
    for domain_scorer in scorer.scorers:
        weighted = domain_scorer.model.weighted_features(side) if isinstance(domain_scorer, VectorScorer) else None
        if weighted is None or not isinstance(domain_scorer, VectorScorer):
            return []
        by_domain.append((domain_scorer, weighted))
    return by_domain


@contextmanager
def zeroed(scorer: ScorerByDomain, side: Side, feature: int) -> Iterator[None]:
    """Within the block, set a feature's output of the adaptation layer to 0 in every domain."""

    def zero(_: nn.Module, __: tuple[object, ...], output: Tensor) -> Tensor:
        output = output.clone()  # (R, F, E)
        output[:, feature] = 0
        return output

    with ExitStack() as stack:
        for layer in {layer for _, weighted in weighted_features(scorer, side) for layer in weighted.layers}:
            stack.callback(layer.register_forward_hook(zero).remove)
        yield


@contextmanager
def _recorded(layers: Sequence[FeatureWeighting]) -> Iterator[list[list[Tensor]]]:
    """Record the weights (R, F) that each layer computes within the block, one tensor per call."""
    blocks: list[list[Tensor]] = [[] for _ in layers]

    with ExitStack() as stack:
        for layer, of_layer in zip(layers, blocks, strict=True):

            def record(
                layer: FeatureWeighting,
                inputs: tuple[Tensor, tuple[int, ...]],
                _: Tensor,
                of_layer: list[Tensor] = of_layer,
            ) -> None:
                of_layer.append(layer.weights(*inputs))

            stack.callback(layer.register_forward_hook(record).remove)
        yield blocks


def _over_sets(blocks: Sequence[Sequence[Tensor]]) -> Tensor:
    """The weights of all rows (R, F), averaged over the layers of the embedding sets."""
    return torch.stack([torch.cat(list(of_layer)) for of_layer in blocks]).mean(dim=0)
