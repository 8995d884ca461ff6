"""Builds the index of a domain's items into a folder."""

from collections.abc import Callable
from pathlib import Path

import faiss
import numpy as np

from adi.errors import AdiError
from adi.index.card import CARD, FORMAT, PLACES, VECTORS, IndexCard
from adi.index.inverted import InvertedFile, inverted_file, places_in
from adi.index.settings import IndexSettings
from adi.index.threads import faiss_threads
from adi.index.tuning import tune
from adi.index.vector_index import VectorIndex, read_mapped
from adi.index.vectors import Advance, Array, blocks, checked_queries

Progress = Callable[[str, int, int], None]


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

    The same vectors, queries, settings and threads give the same index. Beside the vectors as given it takes the memory
    of their fp16 codes, up to twice while lists grow, and a few blocks.

    Args:
        folder: created, or already there without an index in it.
        vectors: item vectors (m, dim), float32 or fp16, perhaps memory-mapped; a position is a row of them.
        queries: held-out query vectors (n, dim) as they will be asked, to tune and confirm recall; an exact index needs
            none.
        settings: `IndexSettings()` where None.
        threads: how many to build with; latency is always measured on one.
        progress: told (stage, items done, items in all).

    Raises `AdiError` for vectors or queries of the wrong shape or not finite, for a folder that has an index, and where
    the target recall cannot be reached or is not confirmed.
    """
    settings = settings or IndexSettings()
    _check_vectors(vectors)
    queries = checked_queries(queries, vectors.shape[1])
    if (folder / CARD).exists():
        raise AdiError(f"{folder}: has an index already. Remove it, or choose another place.")
    folder.mkdir(parents=True, exist_ok=True)

    def told(stage: str) -> Advance:
        return lambda done: progress(stage, done, len(vectors)) if progress else None

    with faiss_threads(threads):
        if len(vectors) < settings.exact_below:
            card = _write_exact(folder, vectors, settings, told("writing the vectors"))
        else:
            index = inverted_file(vectors, settings, told)
            faiss.write_index(index, str(folder / VECTORS))
            np.save(folder / PLACES, places_in(index))
            card = _tuned_card(folder, vectors, queries, settings, told("searching exactly"))
    (folder / CARD).write_text(f"{card.model_dump_json(indent=2)}\n", encoding="utf-8")
    return VectorIndex.open(folder)


def _write_exact(folder: Path, vectors: Array, settings: IndexSettings, advance: Advance) -> IndexCard:
    index = faiss.IndexFlatIP(vectors.shape[1])
    for first, block in blocks(vectors):
        index.add(block)
        advance(first + len(block))
    faiss.write_index(index, str(folder / VECTORS))
    return IndexCard(
        kind="exact", recall=1.0, nlist=None, nprobe=None, tuned_on=0, confirmed_on=0, curve=(), reach=(),
        **_common(folder, vectors, settings),
    )  # fmt: skip


def _tuned_card(folder: Path, vectors: Array, queries: Array, settings: IndexSettings, advance: Advance) -> IndexCard:
    """Tune the index as it will be served: mapped from its file."""
    index = read_mapped(folder / VECTORS)
    k = min(settings.k, len(vectors))
    tuned = tune(
        InvertedFile(index, np.load(folder / PLACES, mmap_mode="r"), ()), vectors, queries[: settings.held_out],
        k=k, target=settings.target, seed=settings.seed, advance=advance,
    )  # fmt: skip
    return IndexCard(kind="ivf", nlist=index.nlist, **vars(tuned), **_common(folder, vectors, settings))


def _common(folder: Path, vectors: Array, settings: IndexSettings) -> dict[str, int | float | str]:
    items, dim = vectors.shape
    size = (folder / VECTORS).stat().st_size
    return {
        "format": FORMAT, "items": items, "dim": dim, "k": settings.k, "target": settings.target,
        "seed": settings.seed, "faiss": faiss.__version__, "bytes": size,
    }  # fmt: skip


def _check_vectors(vectors: Array) -> None:
    if vectors.ndim != 2 or 0 in vectors.shape:
        raise AdiError(f"item vectors of shape {vectors.shape}: give (m, dim), at least one item of one dimension.")
    if vectors.dtype not in (np.float32, np.float16):
        raise AdiError(f"item vectors of type {vectors.dtype}: give float32 or float16.")
