"""How alike items are by who took them, and which are the neighbours of an item in the graph of interactions."""

import numpy as np
import scipy.sparse as sp
import torch

from adi.data.arrays import Array
from adi.data.dataset import Dataset
from adi.errors import AdiError
from adi.nn.embedding import Neighbours

ROWS_AT_ONCE = 512
SHRINK = 20.0
"""Of the neighbours' similarity: two items that a single user took are no neighbours worth the name."""


def cosine_similarity(taken: sp.csr_array, *, shrink: float, neighbours: int) -> sp.csr_array:
    """Shrunk cosine of the items' sets of users, of which each item keeps its largest `neighbours`.

        s(a, b) = |users of a and b| / (sqrt(|users of a| |users of b|) + shrink),   s(a, a) = 0

    `taken` (users, items) has an entry wherever a user took an item, whatever its value; returned is (items, items).
    """
    taken.sum_duplicates()
    taken.data[:] = 1.0
    by_item = taken.T.tocsr()
    norm = np.sqrt(np.diff(by_item.indptr)).astype(np.float32)
    blocks = []
    for first in range(0, taken.shape[1], ROWS_AT_ONCE):
        block = (by_item[first : first + ROWS_AT_ONCE] @ taken).tocoo()
        row, column = block.row + first, block.col
        data = block.data / (norm[row] * norm[column] + shrink)
        data[row == column] = 0.0
        blocks.append(_largest(sp.csr_array((data, (block.row, column)), shape=block.shape), neighbours))
    return sp.csr_array(sp.vstack(blocks))


def _largest(rows: sp.csr_array, keep: int) -> sp.csr_array:
    """The `keep` largest entries of each row."""
    kept = []
    for start, stop in zip(rows.indptr[:-1], rows.indptr[1:], strict=True):
        size = stop - start
        part = np.arange(size) if size <= keep else np.argpartition(rows.data[start:stop], size - keep)[size - keep :]
        kept.append(part + start)
    index = np.concatenate(kept)
    offsets = np.concatenate([[0], np.cumsum([len(part) for part in kept])])
    return sp.csr_array((rows.data[index], rows.indices[index], offsets), shape=rows.shape)


def item_neighbours(dataset: Dataset, count: int, *, by_domain: bool = False) -> Neighbours:
    """The `count` most similar items of each item, as rows of the table of the item's id, weighted by similarity.

    Counted are the training rows of all domains; `by_domain` those of each domain alone, for tables that have a copy
    for each. Raises `AdiError` where the schema has no item feature of kind id.
    """
    feature = next((feature for feature in dataset.manifest.side("item") if feature.kind == "id"), None)
    if feature is None:
        raise AdiError(
            f"neighbours {count}: items are smoothed in the table of their id, and no item feature of {dataset.folder} "
            "is of kind id. Add one to the schema, or set neighbours to 0."
        )
    users, items, domains = dataset.targets("train", dataset.rows("train"))
    codes = dataset.feature("item", feature.name)[items]
    parts = [domains == domain for domain in range(len(dataset.domains))] if by_domain else [slice(None)]
    found = [
        _nearest(users[part], codes[part], shape=(dataset.manifest.users, feature.rows), count=count) for part in parts
    ]
    rows = np.concatenate([rows + copy * feature.rows for copy, (rows, _) in enumerate(found)])
    weights = np.concatenate([weights for _, weights in found])
    return Neighbours(feature.name, torch.from_numpy(rows), torch.from_numpy(weights))


def _nearest(users: Array, codes: Array, *, shape: tuple[int, int], count: int) -> tuple[Array, Array]:
    """Rows (n, count) and weights (n, count) of each row's neighbours; a row without any has itself for one."""
    taken = sp.csr_array((np.ones(len(users), np.float32), (users, codes)), shape=shape)
    similar = cosine_similarity(taken, shrink=SHRINK, neighbours=count)
    similar.eliminate_zeros()
    sizes = np.diff(similar.indptr)
    places = np.arange(count) < sizes[:, None]  # (n, count)
    rows = np.repeat(np.arange(shape[1])[:, None], count, axis=1)
    weights = np.zeros(rows.shape, dtype=np.float32)
    rows[places], weights[places] = similar.indices, similar.data
    weights[sizes == 0, 0] = 1.0
    weights /= weights.sum(axis=1, keepdims=True)
    return rows, weights
