"""Scores of a model with trends: each query sees the items as they are at its own moment."""

import numpy as np
import torch
from torch import Tensor

from adi.data.arrays import Array
from adi.data.queries import Queries
from adi.errors import AdiError
from adi.features.trends import trend_features
from adi.models.two_tower import TwoTower

MOMENTS_AT_ONCE = 16


@torch.no_grad()
def scores_with_trends(
    model: TwoTower, domain: int, items: Array, vectors: Tensor, users: Tensor, queries: Queries, *, code: int
) -> Tensor:
    """Score `items` (m,), ascending, for queries of one domain (n, m).

    Args:
        vectors: of the items, without what changes with time (m, dim).
        users: vectors of the queries (n, dim + W), or (n, interests, dim + W).
        code: the position of the domain among those of the model.

    Raises `AdiError` for queries without clicks by time.
    """
    if queries.clicks is None or queries.moments is None:
        raise AdiError("this model has trends, and nothing is known of clicks by time. Prepare the data with trend.")
    device = model.tables.weight.device
    moments, moment_of = np.unique(queries.moments, return_inverse=True)
    order = np.argsort(moment_of, kind="stable")
    cuts = np.searchsorted(moment_of[order], np.arange(len(moments) + 1))
    pairs = queries.clicks.co_clicks(queries.histories, queries.moments, items)
    pair_rows, co_clicks = pairs.rows, torch.from_numpy(pairs.values)
    scores = torch.empty(len(queries), len(items))
    for first in range(0, len(moments), MOMENTS_AT_ONCE):
        chunk = moments[first : first + MOMENTS_AT_ONCE]
        features = torch.from_numpy(trend_features(queries.clicks.counts(domain, items, chunk)))  # (g, m, T)
        coordinates = model.trend_coordinates(features.to(device), code).cpu()  # (g, m, W)
        for number in range(len(chunk)):
            rows = torch.from_numpy(order[cuts[first + number] : cuts[first + number + 1]])
            scores[rows] = model.scores(users[rows], torch.cat([vectors, coordinates[number]], dim=1))
        moment = moment_of[pair_rows] - first
        inside = np.flatnonzero((moment >= 0) & (moment < len(chunk)))
        row, column = torch.from_numpy(pair_rows[inside]), torch.from_numpy(pairs.columns[inside])
        of_pairs = features[torch.from_numpy(moment[inside]), column]
        added = model.co_click_scores(co_clicks[torch.from_numpy(inside)].to(device), of_pairs.to(device), code)
        scores[row, column] += added.cpu()
    return scores
