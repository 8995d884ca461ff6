"""Scores of a model with trends: each query sees the items as they are at its own moment."""

import numpy as np
import torch
from torch import Tensor

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
    scores = torch.empty(len(queries), len(items))
    for first in range(0, len(moments), MOMENTS_AT_ONCE):
        chunk = moments[first : first + MOMENTS_AT_ONCE]
        counts = queries.clicks.counts(domain, items, chunk)
        features, active = trend_features(counts), is_active(counts)  # (g, m, T), (g, m)
        clicked = np.flatnonzero(active.any(axis=0))  # (p,)
        quiet, _ = _parts(model, quiet_features(counts)[:, None], code)  # (g, 1, W)
        coordinates, gates = _parts(model, features[:, clicked], code)  # (g, p, W), (g, p, K)
        rows = order[cuts[first] : cuts[first + len(chunk)]]
        moment = moment_of[rows] - first  # (r,)
        of_rows = users[torch.from_numpy(rows)]
        widths = [vectors.shape[1], quiet.shape[2], model.audience_dim]
        tastes, weights, of_audience = torch.split(of_rows, widths, dim=-1)
        added = torch.einsum("r...w, rw -> r...", weights, quiet[moment, 0])[..., None].repeat_interleave(
            len(items), -1
        )
        trend = torch.cat([weights[moment == number] @ coordinates[number].T for number in range(len(chunk))])
        if audiences is not None:
            assert gates is not None
            products = audiences.products(domain, items[clicked], chunk, of_audience.numpy(), moment)
            opened = gates * torch.from_numpy(active[:, clicked, None])
            trend += torch.einsum("r...pk, rpk -> r...p", torch.from_numpy(products), opened[moment])
        added[..., clicked] = trend  # (r, p), or (r, interests, p)
        scores[rows] = model.scores(tastes, vectors, added)
        inside = np.flatnonzero(np.isin(pair_rows, rows))
        row, column = torch.from_numpy(pair_rows[inside]), torch.from_numpy(pairs.columns[inside])
        at_moment = features[moment_of[pair_rows[inside]] - first, pairs.columns[inside]]
        of_pairs = moved(torch.from_numpy(at_moment), model.tables.device)
        scores[row, column] += model.co_click_scores(moved(co_clicks[inside], of_pairs.device), of_pairs, code).cpu()
    return scores


def _parts(model: TwoTower, features: Array, code: int) -> tuple[Tensor, Tensor | None]:
    """The coordinates of items at some moments, and the gates of their audiences, on the CPU."""
    coordinates, gates = model.trend_parts(moved(torch.from_numpy(features), model.tables.device), code)
    return coordinates.cpu(), None if gates is None else gates.cpu()
