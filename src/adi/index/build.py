"""Building the index of a domain's items into a folder."""

from collections.abc import Callable
from pathlib import Path

import faiss
import numpy as np
from pydantic import Field

from adi.data.arrays import Array
from adi.errors import AdiError
from adi.index.card import CARD, FORMAT, LOCATIONS, VECTORS, IndexCard
from adi.index.searchers import InvertedFile, faiss_threads, item_locations
from adi.index.tuning import tune
from adi.index.vector_index import VectorIndex, read_mapped
from adi.index.vectors import Advance, blocks, checked_queries
from adi.strict import Strict

FP16_MAX = 65504.0

Progress = Callable[[str, int, int], None]
"""Receives (stage, items done, items in all)."""


class IndexSettings(Strict):
    """Settings of an index.

    With fewer than `exact_below` items the search is exact. With more, the items are divided into `nlist` lists (four
    times the square root of their number if None), and a search reads as few lists as find the share `target` of the
    exact top `k`. Up to `held_out` of the queries are used: half of them to find that number, half to confirm it.

    The centroids are trained on `training_points` items per list, drawn with `seed`, by `iterations` of k-means.
    """

    k: int = Field(500, ge=1)
    target: float = Field(0.99, gt=0.0, le=1.0)
    exact_below: int = Field(100_000, ge=0)
    nlist: int | None = Field(None, ge=1)
    held_out: int = Field(1000, ge=20)
    training_points: int = Field(48, ge=1)
    iterations: int = Field(8, ge=1)
    seed: int = 0

    def lists_for(self, num_items: int) -> int:
        """Return the number of lists for an index of that many items."""
        return min(num_items, self.nlist or max(1, int(4 * num_items**0.5)))


def build_index(
    folder: Path,
    vectors: Array,
    queries: Array,
    settings: IndexSettings | None = None,
    *,
    threads: int = 1,
    progress: Progress | None = None,
) -> VectorIndex:
    """Build an index, write it to `folder` and open it.

    The same vectors, queries, settings and number of threads give the same index. Beyond the given vectors, memory
    holds their fp16 codes, up to twice while lists grow, and a few blocks.

    Args:
        folder: created if missing; must not contain an index.
        vectors: of the items (m, dim), float32 or float16, perhaps memory-mapped; an item's position is its row.
        queries: held-out query vectors (n, dim), distributed as in requests, to tune and confirm recall; an exact index
            needs none.
        settings: `IndexSettings()` if None.
        threads: used to build; latency is always measured on one.

    Raises `AdiError` for vectors or queries of the wrong shape or not finite, for a folder with an index, and for a
    target recall that is not reached or not confirmed.
    """
    settings = settings or IndexSettings()
    _check_vectors(vectors)
    queries = checked_queries(queries, vectors.shape[1])
    if (folder / CARD).exists():
        raise AdiError(f"{folder}: contains an index already. Remove it, or choose another folder.")
    folder.mkdir(parents=True, exist_ok=True)
    with faiss_threads(threads):
        if len(vectors) < settings.exact_below:
            card = _write_exact(folder, vectors, settings, progress)
        else:
            card = _write_inverted(folder, vectors, queries, settings, progress)
    (folder / CARD).write_text(f"{card.model_dump_json(indent=2)}\n", encoding="utf-8")
    return VectorIndex.open(folder)


def inverted_lists(
    vectors: Array, settings: IndexSettings, progress: Progress | None = None
) -> faiss.IndexIVFScalarQuantizer:
    """Divide vectors (m, dim) into lists, in memory.

    Centroids are found, and items assigned to them, by Euclidean distance; queries read the lists by inner product. To
    assign by inner product, the centroids would need equal lengths, and the lists of long vectors would not come first:
    on vectors of unequal length that took three times as many lists for the same recall.

    Raises `AdiError` for a vector that does not fit fp16.
    """
    num_items, dim = vectors.shape
    nlist = settings.lists_for(num_items)
    for first, block in blocks(vectors):
        _check_fp16(block, first)
    _advance(progress, "finding the lists", num_items)(0)
    centroids = _centroids(vectors, nlist, settings)
    advance = _advance(progress, "filling the lists", num_items)
    nearest, quantizer = faiss.IndexFlatL2(dim), faiss.IndexFlatIP(dim)
    nearest.add(centroids)
    quantizer.add(centroids)
    index = faiss.IndexIVFScalarQuantizer(
        quantizer, dim, nlist, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT, False
    )
    index.is_trained = True  # the quantizer has its centroids, and fp16 needs no training
    for first, block in blocks(vectors):
        _, lists = nearest.search(block, 1)
        ids = np.arange(first, first + len(block))
        index.add_core(len(block), faiss.swig_ptr(block), faiss.swig_ptr(ids), faiss.swig_ptr(lists.ravel()))
        advance(first + len(block))
    return index


def _write_exact(folder: Path, vectors: Array, settings: IndexSettings, progress: Progress | None) -> IndexCard:
    index = faiss.IndexFlatIP(vectors.shape[1])
    advance = _advance(progress, "writing the vectors", len(vectors))
    for first, block in blocks(vectors):
        index.add(block)
        advance(first + len(block))
    faiss.write_index(index, str(folder / VECTORS))
    return IndexCard(
        kind="exact", recall=1.0, nlist=None, nprobe=None, tuned_on=0, confirmed_on=0, curve=(), reach=(),
        **_card_values(folder, vectors, settings),
    )  # fmt: skip


def _write_inverted(
    folder: Path, vectors: Array, queries: Array, settings: IndexSettings, progress: Progress | None
) -> IndexCard:
    """Write an index with lists, and tune it as it will be used: memory-mapped from its file."""
    built = inverted_lists(vectors, settings, progress)
    faiss.write_index(built, str(folder / VECTORS))
    np.save(folder / LOCATIONS, item_locations(built))
    del built
    index = read_mapped(folder / VECTORS)
    tuned = tune(
        InvertedFile(index, np.load(folder / LOCATIONS, mmap_mode="r"), ()), vectors, queries[: settings.held_out],
        k=min(settings.k, len(vectors)), target=settings.target, seed=settings.seed,
        advance=_advance(progress, "searching exactly", len(vectors)),
    )  # fmt: skip
    return IndexCard(kind="ivf", nlist=index.nlist, **vars(tuned), **_card_values(folder, vectors, settings))


def _card_values(folder: Path, vectors: Array, settings: IndexSettings) -> dict[str, int | float | str]:
    """Return the values of a card that both kinds of index have."""
    num_items, dim = vectors.shape
    size = (folder / VECTORS).stat().st_size
    return {
        "format": FORMAT, "items": num_items, "dim": dim, "k": settings.k, "target": settings.target,
        "seed": settings.seed, "faiss": faiss.__version__, "bytes": size,
    }  # fmt: skip


def _centroids(vectors: Array, nlist: int, settings: IndexSettings) -> Array:
    """Return the centroids (nlist, dim) of a sample of the vectors, by k-means."""
    generator = np.random.default_rng(settings.seed)
    rows = generator.choice(len(vectors), min(len(vectors), nlist * settings.training_points), replace=False)
    points = np.ascontiguousarray(vectors[np.sort(rows)], dtype=np.float32)
    means = faiss.Clustering(points.shape[1], nlist)
    means.niter, means.seed = settings.iterations, settings.seed
    means.min_points_per_centroid = 1  # else faiss prints a warning about a choice that was made here
    means.max_points_per_centroid = max(256, settings.training_points)
    means.train(points, faiss.IndexFlatL2(points.shape[1]))
    centroids: Array = faiss.vector_to_array(means.centroids).reshape(nlist, -1)
    return centroids


def _advance(progress: Progress | None, stage: str, total: int) -> Advance:
    """Return a function of the items done that reports the progress of a stage."""
    return lambda done: progress(stage, done, total) if progress else None


def _check_vectors(vectors: Array) -> None:
    if vectors.ndim != 2 or 0 in vectors.shape:
        raise AdiError(f"item vectors of shape {vectors.shape}: give (m, dim), at least one item of one dimension.")
    if vectors.dtype not in (np.float32, np.float16):
        raise AdiError(f"item vectors of type {vectors.dtype}: give float32 or float16.")


def _check_fp16(block: Array, first: int) -> None:
    fits = np.abs(block).max(axis=1) <= FP16_MAX
    if not fits.all():
        row = int(fits.argmin())
        raise AdiError(
            f"item vectors, row {first + row}: {np.abs(block[row]).max():g} exceeds the range of fp16 (65504). "
            "Normalise the vectors, or set exact_below above their number."
        )
