"""The vectors of a domain's items in a file, of which an export holds a block at a time."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path

import numpy as np

from adi.data.arrays import Array, ArrayWriter, read_array
from adi.models.vectors import VectorScorer


@contextmanager
def stored_item_vectors(scorer: VectorScorer, domain: int, folder: Path) -> Iterator[Array]:
    """Encode all items that can be retrieved in a domain, and yield their vectors (m, dim) float32, mapped from disk.

    They are in a file in `folder`, which is removed when the block ends. Beside a block of vectors, the system has
    their pages in memory as long as nothing else needs it.
    """
    path = folder / f"item_vectors-{domain}.npy"
    items = scorer.corpora.stored_retrievable(domain)
    blocks = scorer.item_blocks(domain, items)
    try:
        first = next(blocks)
        with ArrayWriter(path, len(items), np.float32, width=first.shape[1]) as writer:
            for block in chain([first], blocks):
                writer.append(block.numpy())
        yield read_array(path)
    finally:
        path.unlink(missing_ok=True)
