"""Scores of a model with trends: each query sees the items as they are at its own moment."""

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from adi.batch import moved
from adi.data.arrays import Array
from adi.data.audiences import AudienceLog
from adi.data.queries import Queries
from adi.errors import AdiError
from adi.features.trends import is_active, quiet_features, trend_features
from adi.models.two_tower import TwoTower

MOMENTS_AT_ONCE = 16


@torch.no_grad()
def scores_with_trends(
    model: TwoTower,
    domain: int,
    items: Array,
    vectors: Tensor,
    users: Tensor,
    queries: Queries,
    audiences: AudienceLog | None,
    *,
    code: int,
) -> Tensor:
    """Score `items` (m,), ascending, for queries of one domain (n, m).

    Args:
        vectors: of the items, without what changes with time (m, dim).
        users: vectors of the queries (n, dim + W), or (n, interests, dim + W).
        audiences: of the items, for a model that has them.
        code: the position of the domain among those of the model.

    Raises `AdiError` for queries without clicks by time.
    """
    if queries.clicks is None or queries.moments is None:
        raise AdiError("this model has trends, and nothing is known of clicks by time. Prepare the data with trend.")
    moments, moment_of = np.unique(queries.clicks.clipped(queries.moments), return_inverse=True)
    order = np.argsort(moment_of, kind="stable")
    cuts = np.searchsorted(moment_of[order], np.arange(len(moments) + 1))
    pairs = queries.clicks.co_clicks(queries.histories, queries.moments, items)
    pair_rows, co_clicks = pairs.rows, torch.from_numpy(pairs.values)
    dim, scores = vectors.shape[1], torch.empty(len(queries), len(items))
    vectors_with_1 = functional.pad(vectors, (0, 1), value=1.0)
    for first in range(0, len(moments), MOMENTS_AT_ONCE):
        chunk = moments[first : first + MOMENTS_AT_ONCE]
        counts = queries.clicks.counts(domain, items, chunk)
        features, active = trend_features(counts), is_active(counts)  # (g, m, T), (g, m)
        quiet = _coordinates(model, quiet_features(counts)[:, None], None, code)  # (g, 1, W)
        clicked = np.flatnonzero(active.any(axis=0))  # (p,)
        known = None
        if audiences is not None:
            known = audiences.at(domain, items[clicked], chunk) * active[:, clicked, None, None]
        coordinates = _coordinates(model, features[:, clicked], known, code)  # (g, p, W)
        columns = torch.from_numpy(clicked)
        for number in range(len(chunk)):
            rows = torch.from_numpy(order[cuts[first + number] : cuts[first + number + 1]])
            tastes, weights = users[rows].tensor_split([dim], dim=-1)
            of_rows = model.scores(torch.cat([tastes, weights @ quiet[number].T], dim=-1), vectors_with_1)  # (r, m)
            at_moment = torch.cat([vectors[columns], coordinates[number]], dim=1)  # (p, dim + W)
            of_rows[:, columns] = model.scores(users[rows], at_moment)
            scores[rows] = of_rows
        moment = moment_of[pair_rows] - first
        inside = np.flatnonzero((moment >= 0) & (moment < len(chunk)))
        row, column = torch.from_numpy(pair_rows[inside]), torch.from_numpy(pairs.columns[inside])
        of_pairs = _tensor(features[moment[inside], pairs.columns[inside]], model)
        scores[row, column] += model.co_click_scores(moved(co_clicks[inside], of_pairs.device), of_pairs, code).cpu()
    return scores


def _coordinates(model: TwoTower, features: Array, audiences: Array | None, code: int) -> Tensor:
    """The coordinates of items at some moments (g, m, W), on the CPU."""
    known = None if audiences is None else _tensor(audiences, model)
    return model.trend_coordinates(_tensor(features, model), code, known).cpu()


def _tensor(array: Array, model: TwoTower) -> Tensor:
    """A tensor on the device of the model's weights."""
    return moved(torch.from_numpy(array), model.tables.weight.device)
