"""Tuning of an index: the fewest lists that reach the target recall on some queries, confirmed on others."""

from dataclasses import dataclass
from time import perf_counter

import numpy as np

from adi.data.arrays import Array
from adi.errors import AdiError
from adi.index.card import Point, ProbeDepth
from adi.index.probe_depth import DOUBLINGS, measure_probe_depths
from adi.index.searchers import InvertedFile, faiss_threads
from adi.index.vectors import Advance, exact_top

MARGIN = 3.0
"""Standard errors by which the mean recall of the tuning queries must exceed the target, so that other queries reach
it too."""
FEWEST_QUERIES = 20
RANKED_DEEPER = 128
"""Queries whose exact ranking is measured beyond k, for searches under filters."""
ROUNDING = 1e-6


@dataclass(frozen=True)
class Tuned:
    """Results of tuning, named as in `adi.index.card.IndexCard`."""

    nprobe: int
    recall: float
    curve: tuple[Point, ...]
    reach: tuple[ProbeDepth, ...]
    tuned_on: int
    confirmed_on: int


@dataclass(frozen=True)
class HeldOut:
    """Queries (n, dim) with the lowest score of each one's exact top k (n,)."""

    queries: Array
    lowest: Array

    def recalls(self, vectors: Array, positions: Array) -> Array:
        """Return the share of each query's exact top k in its answer (n,).

        Args:
            positions: the answers (n, k). An item counts if its score is not below the lowest of the exact top k, so
                that any of several items with that score will do.
        """
        hits = np.empty(positions.shape, dtype=bool)
        for row, (query, answer) in enumerate(zip(self.queries, positions, strict=True)):
            items = vectors[answer].astype(np.float32)  # (k, dim)
            scores = items @ query
            slack = ROUNDING * np.abs(query).sum() * np.abs(items).max()
            hits[row] = (scores >= self.lowest[row] - slack) & (answer >= 0)
        return np.asarray(hits.mean(axis=1))


def tune(
    file: InvertedFile, vectors: Array, queries: Array, *, k: int, target: float, seed: int, advance: Advance
) -> Tuned:
    """Find the number of lists to read for the target recall@`k`, confirm it and measure its latency.

    Raises `AdiError` for fewer than `FEWEST_QUERIES` queries, and for a target that is not reached or not confirmed.
    """
    if len(queries) < FEWEST_QUERIES:
        raise AdiError(
            f"{len(queries)} held-out queries: give at least {FEWEST_QUERIES}, half to tune the index, half to confirm."
        )
    shuffled = queries[np.random.default_rng(seed).permutation(len(queries))]
    lowest = exact_top(vectors, shuffled, k, advance)[0][:, -1]
    half = len(queries) // 2
    tuning, confirming = HeldOut(shuffled[:half], lowest[:half]), HeldOut(shuffled[half:], lowest[half:])
    measured = _measure_until(target, file, vectors, tuning, k)
    nprobe = min(nprobe for nprobe, (_, lower_bound) in measured.items() if lower_bound >= target)
    recall = float(confirming.recalls(vectors, file.probe(confirming.queries, k, nprobe)[1]).mean())
    if recall < target:
        raise AdiError(
            f"recall@{k} is {recall:.4f} on the {len(confirming.queries)} queries that confirm nprobe {nprobe}, below "
            f"the target {target}, which the {half} tuning queries reach. Give more held-out queries, all drawn alike."
        )
    curve = tuple(measured[number][0] for number in sorted(measured))
    ranked = shuffled[: min(half, RANKED_DEEPER)]
    _, ranking = exact_top(vectors, ranked, min(len(vectors), k << DOUBLINGS), lambda _: None)
    reach = measure_probe_depths(file.probe_order(ranked), file.list_of(ranking), k, nprobe)
    return Tuned(nprobe, recall, curve, reach, half, len(confirming.queries))


def _measure_until(
    target: float, file: InvertedFile, vectors: Array, held_out: HeldOut, k: int
) -> dict[int, tuple[Point, float]]:
    """Double the number of lists until it reaches the target, then bisect between the last two numbers.

    Returns for each number its point of the curve and the lower bound of its recall.
    """
    measured: dict[int, tuple[Point, float]] = {}
    nlist = file.index.nlist
    below, nprobe = 0, 1
    while True:
        measured[nprobe] = _measure(file, vectors, held_out, k, nprobe)
        if measured[nprobe][1] >= target:
            break
        if nprobe == nlist:
            raise AdiError(
                f"recall@{k} on held-out queries is {measured[nprobe][0].recall:.4f} at best, reading all {nlist} "
                f"lists, and the target is {target} (exceeded by {MARGIN:g} standard errors): fp16 rounds these "
                f"vectors too much. Normalise them, set exact_below above their number ({len(vectors)}), or lower the "
                "target."
            )
        below, nprobe = nprobe, min(2 * nprobe, nlist)
    while nprobe - below > 1:
        middle = (below + nprobe) // 2
        measured[middle] = _measure(file, vectors, held_out, k, middle)
        below, nprobe = (below, middle) if measured[middle][1] >= target else (middle, nprobe)
    return measured


def _measure(file: InvertedFile, vectors: Array, held_out: HeldOut, k: int, nprobe: int) -> tuple[Point, float]:
    """Return the recall and latency with `nprobe` lists read, and the recall less `MARGIN` standard errors."""
    answers, seconds = [], []
    with faiss_threads(1):
        for row in range(len(held_out.queries)):
            start = perf_counter()
            _, positions = file.probe(held_out.queries[row : row + 1], k, nprobe)
            seconds.append(perf_counter() - start)
            answers.append(positions[0])
    recalls = held_out.recalls(vectors, np.stack(answers))
    p50, p99 = (float(1e3 * np.percentile(seconds, q)) for q in (50, 99))
    standard_error = recalls.std(ddof=1) / np.sqrt(len(recalls))
    point = Point(nprobe=nprobe, recall=float(recalls.mean()), p50_ms=p50, p99_ms=p99)
    return point, float(recalls.mean() - MARGIN * standard_error)
