"""The top k of a search: positions among a domain's items, with scores."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from adi.data.arrays import Array


@dataclass(frozen=True)
class Hits:
    """The items found for one query, best first: positions among the domain's items (n,) and scores (n,), n ≤ k.

    With trends, a score is the sum of `parts`, (n,) each: ``taste``, ``trend``, ``co_clicks`` and ``bid``; with a blend
    of ``taste``, ``neighbours`` and ``bid``.
    """

    positions: Array
    scores: Array
    parts: Mapping[str, Array] | None = None


def merge_interests(scores: Array, positions: Array, excluded: Array, k: int) -> Hits:
    """Merge what each interest of a query found into one top k, without the excluded positions.

    An item that several interests found counts once, with its highest score; equal scores are ordered by position.

    Args:
        scores: of I interests (I, w), each row best first.
        positions: of the items, distinct within a row (I, w); -1 where a search found fewer than w.
        excluded: positions (e,) to leave out; w ≥ k + e for a complete answer.
    """
    if len(scores) > 1:
        scores, positions = scores.ravel(), positions.ravel()
        order = np.lexsort((positions, -scores))
        first = np.sort(np.unique(positions[order], return_index=True)[1])
        scores, positions = scores[order][first], positions[order][first]
    else:
        (scores,), (positions,) = scores, positions
        if not len(excluded) and positions[k - 1] >= 0:
            return Hits(positions[:k], scores[:k])
    kept = positions >= 0
    if len(excluded):
        kept &= ~np.isin(positions, excluded)
    return Hits(positions[kept][:k], scores[kept][:k])
