"""Similarity of items by their users, and the nearest neighbours of each item in the graph of interactions."""

import numpy as np
import scipy.sparse as sp
import torch

from adi.data.arrays import Array
from adi.data.dataset import Dataset
from adi.data.manifest import FeatureInfo
from adi.errors import AdiError
from adi.models.profiles import binarise
from adi.nn.embedding import Neighbours

ROWS_AT_ONCE = 512
SHRINK = 20.0
"""Shrinkage of the similarity of neighbours: it keeps items with a single common user from counting as similar."""


def cosine_similarity(interactions: sp.csr_array, *, shrink: float, neighbours: int) -> sp.csr_array:
    """Shrunk cosine of the items' sets of users (items, items); each row keeps its `neighbours` largest entries.

        s(a, b) = |users of a and b| / (sqrt(|users of a| |users of b|) + shrink),   s(a, a) = 0

    `interactions` (users, items) has an entry wherever a user interacted with an item; its value does not matter.
    """
    interactions = binarise(interactions)
    by_item = interactions.T.tocsr()
    norm = np.sqrt(np.diff(by_item.indptr)).astype(np.float32)
    blocks = []
    for first in range(0, interactions.shape[1], ROWS_AT_ONCE):
        block = (by_item[first : first + ROWS_AT_ONCE] @ interactions).tocoo()
        row, column = block.row + first, block.col
        data = block.data / (norm[row] * norm[column] + shrink)
        data[row == column] = 0.0
        blocks.append(largest(sp.csr_array((data, (block.row, column)), shape=block.shape), neighbours))
    return sp.csr_array(sp.vstack(blocks))


def largest(rows: sp.csr_array, keep: int) -> sp.csr_array:
    """Keep the `keep` largest entries of each row."""
    entries = []
    for start, stop in zip(rows.indptr[:-1], rows.indptr[1:], strict=True):
        size = stop - start
        part = np.arange(size) if size <= keep else np.argpartition(rows.data[start:stop], size - keep)[size - keep :]
        entries.append(part + start)
    index = np.concatenate(entries)
    offsets = np.concatenate([[0], np.cumsum([len(part) for part in entries])])
    return sp.csr_array((rows.data[index], rows.indices[index], offsets), shape=rows.shape)


def item_neighbours(dataset: Dataset, count: int, *, by_domain: bool = False) -> Neighbours:
    """The `count` most similar items of each item, as rows of the item id's table, weighted by similarity.

    Similarities count the training rows of all domains. With `by_domain`, for tables that have a copy per domain, they
    count those of each domain separately.

    Raises `AdiError` if the schema has no item feature of kind id.
    """
    feature = smoothed_feature(dataset, count)
    users, items, domains = dataset.targets("train", dataset.rows("train"))
    codes = dataset.feature("item", feature.name)[items]
    parts = [domains == domain for domain in range(len(dataset.domains))] if by_domain else [slice(None)]
    nearest = [
        _nearest(users[part], codes[part], shape=(dataset.manifest.users, feature.rows), count=count) for part in parts
    ]
    rows = np.concatenate([rows + copy * feature.rows for copy, (rows, _) in enumerate(nearest)])
    weights = np.concatenate([weights for _, weights in nearest])
    return Neighbours(feature.name, torch.from_numpy(rows), torch.from_numpy(weights))


def smoothed_feature(dataset: Dataset, count: int) -> FeatureInfo:
    """The item feature of kind id, whose table `count` neighbours smooth. Raises `AdiError` if there is none."""
    for feature in dataset.manifest.side("item"):
        if feature.kind == "id":
            return feature
    raise AdiError(
        f"neighbours {count}: smoothing needs an item feature of kind id, and {dataset.folder} has none. "
        "Add one to the schema, or set neighbours to 0."
    )


def _nearest(users: Array, codes: Array, *, shape: tuple[int, int], count: int) -> tuple[Array, Array]:
    """Rows (n, count) and weights (n, count) of each row's neighbours; a row without neighbours gets itself."""
    interactions = sp.csr_array((np.ones(len(users), np.float32), (users, codes)), shape=shape)
    similarity = cosine_similarity(interactions, shrink=SHRINK, neighbours=count)
    similarity.eliminate_zeros()
    sizes = np.diff(similarity.indptr)
    filled = np.arange(count) < sizes[:, None]  # (n, count)
    rows = np.repeat(np.arange(shape[1])[:, None], count, axis=1)
    weights = np.zeros(rows.shape, dtype=np.float32)
    rows[filled], weights[filled] = similarity.indices, similarity.data
    weights[sizes == 0, 0] = 1.0
    weights /= weights.sum(axis=1, keepdims=True)
    return rows, weights
