"""The best items of files, which are scanned block by block."""

from collections.abc import Iterable, Sequence

import numpy as np

from adi.data.arrays import Array
from adi.stores.store import Answer


def best_of(blocks: Iterable[tuple[Sequence[str], Array]], queries: Array, k: int) -> list[Answer]:
    """The `k` best items for each query (n, dim), of blocks of ids and vectors (m, dim)."""
    answers: list[Answer] = [[] for _ in queries]
    for ids, vectors in blocks:
        for answer, scores in zip(answers, queries @ vectors.T, strict=True):
            best = np.argsort(-scores, kind="stable")[:k]
            answer += [(ids[row], float(scores[row])) for row in best]
    return [sorted(answer, key=lambda found: -found[1])[:k] for answer in answers]
