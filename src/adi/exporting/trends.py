"""Trends in a bundle: the graphs of each domain."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from adi.bundle.manifest import AudienceInfo, TrendsInfo
from adi.bundle.trends import TrendGraphs
from adi.errors import AdiError
from adi.exporting.graph import CoClickTrends, ItemTrends
from adi.exporting.graphs import Graphs, leading
from adi.models.vectors import VectorScorer

TOLERANCE = 1e-4
"""The largest difference of a coordinate or score from the model's, as a share of the largest."""


def write_trends(bundle: Path, graphs: Graphs, scorer: VectorScorer, domain: int) -> TrendsInfo:
    """Write the graphs of a domain's trends. Raises `AdiError` where one of them does not answer as the model does."""
    part = scorer.model.of_one_domain(int(scorer.domain_codes[domain]))
    first, trends = leading(part), part.towers.trends
    assert trends is not None
    num_features, num_values = trends.items.hidden.shared.in_features, trends.co_clicks.weight.shape[1]
    rng, dim = torch.Generator().manual_seed(domain), trends.items.audience_dim
    features, co_clicks = torch.randn(64, num_features, generator=rng), torch.rand(64, num_values, generator=rng)
    audiences = torch.randn(64, trends.items.gates.out_features, dim, generator=rng) if dim else None
    info = TrendsInfo(
        items=f"trends/items-{domain}.onnx",
        co_clicks=f"trends/co_clicks-{domain}.onnx" if num_values else None,
        audience=AudienceInfo(dim=dim, by_domain=scorer.model.tables_by_domain) if dim else None,
    )
    inputs = {"features": features} if audiences is None else {"features": features, "audiences": audiences}
    graphs.write(ItemTrends(first), inputs, "coordinates", bundle / info.items)
    if info.co_clicks is not None:
        inputs = {"co_clicks": co_clicks, "features": features}
        graphs.write(CoClickTrends(first), inputs, "scores", bundle / info.co_clicks)
    written = TrendGraphs(bundle, info)
    with torch.no_grad():
        exported = written.coordinates(features.numpy(), None if audiences is None else audiences.numpy())
        pairs = [(exported, ItemTrends(part)(features, audiences))]
        if info.co_clicks is not None:
            scores = written.co_click_scores(co_clicks.numpy(), features.numpy())
            pairs.append((scores, trends.co_clicks(co_clicks, features, part.number)))
    for exported, expected in pairs:
        difference = float(np.abs(exported - expected.numpy()).max() / expected.abs().max())
        if not difference <= TOLERANCE:
            raise AdiError(
                f"the exported trends differ from the model by {difference:.2g} of the largest number, and "
                f"{TOLERANCE:g} is allowed. Nothing was published; this is a bug in adi, please report it."
            )
    return info


def check_audiences(scorers: Sequence[VectorScorer]) -> None:
    """Check that the scorers of the domains agree on tastes.

    Raises `AdiError` for a model with audiences over all domains whose domains keep the weights of different epochs.
    """
    model = scorers[0].model
    if model.audience_dim and not model.tables_by_domain and len({id(scorer) for scorer in scorers}) > 1:
        raise AdiError(
            "with keep: domain each domain has weights of its own, by which the tastes of clickers in other domains "
            "differ, and a bundle has one audience for each item. Train with keep: mean, or without trend.audience."
        )
