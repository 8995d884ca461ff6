"""The number of lists to read: the smallest that reaches the target on some queries, confirmed on others."""

from dataclasses import dataclass
from time import perf_counter

import numpy as np

from adi.errors import AdiError
from adi.index.card import Point, Reach
from adi.index.inverted import InvertedFile
from adi.index.probe_depth import DOUBLINGS, measured_reach
from adi.index.threads import faiss_threads
from adi.index.vectors import Advance, Array, exact_top

MARGIN = 3.0
"""Standard errors of the mean recall by which the tuned queries must exceed the target, so that others reach it."""
FEWEST = 20
FOLLOWED = 128
"""Queries whose ranking is followed further down, for searches under filters."""
ROUNDING = 1e-6


@dataclass(frozen=True)
class Tuned:
    """`recall` was found with `nprobe` on `confirmed_on` queries, the curve on `tuned_on` others."""

    nprobe: int
    recall: float
    curve: tuple[Point, ...]
    reach: tuple[Reach, ...]
    tuned_on: int
    confirmed_on: int


@dataclass(frozen=True)
class Truth:
    """The lowest score of the exact top k of each query (n,)."""

    queries: Array
    lowest: Array

    def recalls(self, vectors: Array, positions: Array) -> Array:
        """The share of the exact top k that each query's answer (n, k) holds (n,).

        An item that scores as high as the k-th best counts, whichever of several equal ones it is.
        """
        hits = np.empty(positions.shape, dtype=bool)
        for row, (query, found) in enumerate(zip(self.queries, positions, strict=True)):
            items = vectors[found].astype(np.float32)  # (k, dim)
            scores = items @ query
            slack = ROUNDING * np.abs(query).sum() * np.abs(items).max()
            hits[row] = (scores >= self.lowest[row] - slack) & (found >= 0)
        return np.asarray(hits.mean(axis=1))


def tune(
    file: InvertedFile, vectors: Array, queries: Array, *, k: int, target: float, seed: int, advance: Advance
) -> Tuned:
    """Find, confirm and time the number of lists to read for recall@`k`.

    Raises `AdiError` for fewer than `FEWEST` queries, and where the target is out of reach or not confirmed.
    """
    if len(queries) < FEWEST:
        raise AdiError(
            f"{len(queries)} held-out queries: give at least {FEWEST}, half to tune the index, half to check."
        )
    shuffled = queries[np.random.default_rng(seed).permutation(len(queries))]
    lowest = exact_top(vectors, shuffled, k, advance)[0][:, -1]
    half = len(queries) // 2
    tuning, confirming = Truth(shuffled[:half], lowest[:half]), Truth(shuffled[half:], lowest[half:])
    curve = _search(file, vectors, tuning, k, target)
    nprobe = min(nprobe for nprobe, (_, surely) in curve.items() if surely >= target)
    recall = float(confirming.recalls(vectors, file.probe(confirming.queries, k, nprobe)[1]).mean())
    if recall < target:
        raise AdiError(
            f"recall@{k} is {recall:.4f} on the {len(confirming.queries)} queries that confirm nprobe {nprobe}, below "
            f"the target {target}, which the {half} that chose it reach. Give more held-out queries, drawn alike."
        )
    points = tuple(curve[number][0] for number in sorted(curve))
    followed = shuffled[: min(half, FOLLOWED)]
    _, ranking = exact_top(vectors, followed, min(len(vectors), k << DOUBLINGS), lambda _: None)
    reach = measured_reach(file.order(followed), file.list_of(ranking), k, nprobe)
    return Tuned(nprobe, recall, points, reach, half, len(confirming.queries))


def _search(file: InvertedFile, vectors: Array, truth: Truth, k: int, target: float) -> dict[int, tuple[Point, float]]:
    """Measure doubling numbers of lists until one surely reaches the target, then halve the gap below it.

    Returns by number the point of the curve and the recall less its margin.
    """
    curve: dict[int, tuple[Point, float]] = {}
    nlist = file.index.nlist
    below, nprobe = 0, 1
    while True:
        curve[nprobe] = _point(file, vectors, truth, k, nprobe)
        if curve[nprobe][1] >= target:
            break
        if nprobe == nlist:
            raise AdiError(
                f"recall@{k} on held-out queries is {curve[nprobe][0].recall:.4f} at best, reading all {nlist} lists, "
                f"and the target is {target} (surpassed by {MARGIN:g} standard errors): fp16 rounds these vectors too "
                f"much. Normalise them, raise exact_below above their number ({len(vectors)}), or lower the target."
            )
        below, nprobe = nprobe, min(2 * nprobe, nlist)
    while nprobe - below > 1:
        middle = (below + nprobe) // 2
        curve[middle] = _point(file, vectors, truth, k, middle)
        below, nprobe = (below, middle) if curve[middle][1] >= target else (middle, nprobe)
    return curve


def _point(file: InvertedFile, vectors: Array, truth: Truth, k: int, nprobe: int) -> tuple[Point, float]:
    answers, seconds = [], []
    with faiss_threads(1):
        for row in range(len(truth.queries)):
            start = perf_counter()
            _, positions = file.probe(truth.queries[row : row + 1], k, nprobe)
            seconds.append(perf_counter() - start)
            answers.append(positions[0])
    recalls = truth.recalls(vectors, np.stack(answers))
    p50, p99 = (float(1e3 * np.percentile(seconds, q)) for q in (50, 99))
    error = recalls.std(ddof=1) / np.sqrt(len(recalls))
    point = Point(nprobe=nprobe, recall=float(recalls.mean()), p50_ms=p50, p99_ms=p99)
    return point, float(recalls.mean() - MARGIN * error)
