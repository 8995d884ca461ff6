"""Item-kNN: items that the same users took are similar; a user gets what is similar to the history."""

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

from adi.data.arrays import Array
from adi.data.dataset import Dataset, Queries
from adi.models.scorer import Score
from adi.models.settings import ItemKnnSettings

ROWS_AT_ONCE = 512


class ItemKnn:
    """``score(v) = sum over h in the history of s(h, v)``, s the shrunk cosine of the items' sets of users.

        s(a, b) = |users of a and b| / (sqrt(|users of a| |users of b|) + shrink),   s(a, a) = 0

    of which each item keeps its largest `neighbours`. With ``scope: domain`` users, histories and similarities are
    those of the query's domain alone. `domain_prior` multiplies by the share of the item's clicks that are in the
    domain, to this power. Popularity, too small to change any other order, breaks ties.
    """

    def __init__(self, dataset: Dataset, settings: ItemKnnSettings) -> None:
        self.settings, self.corpora, self.num_items = settings, dataset.corpora, dataset.manifest.items
        rows = dataset.rows("train")
        users, items, domains = dataset.targets("train", rows)
        shape = (dataset.manifest.users, self.num_items)
        if settings.scope == "all":
            self._similarities = [self._similarity(users, items, shape)] * len(dataset.domains)
        else:
            self._similarities = [
                self._similarity(users[domains == domain], items[domains == domain], shape)
                for domain in range(len(dataset.domains))
            ]

    def _similarity(self, users: Array, items: Array, shape: tuple[int, int]) -> sp.csr_array:
        taken = sp.csr_array((np.ones(len(users), np.float32), (users, items)), shape=shape)
        taken.sum_duplicates()
        taken.data[:] = 1.0
        by_item = taken.T.tocsr()
        norm = np.sqrt(np.diff(by_item.indptr)).astype(np.float32)
        blocks = []
        for first in range(0, shape[1], ROWS_AT_ONCE):
            block = (by_item[first : first + ROWS_AT_ONCE] @ taken).tocoo()
            row, column = block.row + first, block.col
            data = block.data / (norm[row] * norm[column] + self.settings.shrink)
            data[row == column] = 0.0
            blocks.append(
                _largest(sp.csr_array((data, (block.row, column)), shape=block.shape), self.settings.neighbours)
            )
        return sp.csr_array(sp.vstack(blocks))

    def against(self, domain: int, items: Array) -> Score:
        similarity = self._similarities[domain][:, items].tocsr()
        counts = self.corpora.counts_of(domain, items).astype(np.float64)
        totals = sum(self.corpora.counts_of(other, items) for other in range(len(self.corpora.items)))
        tie = 1e-6 * counts / max(counts.sum(), 1)
        prior = ((counts + 0.5) / (totals + 1.0)) ** self.settings.domain_prior

        def score(queries: Queries) -> Tensor:
            histories = queries.histories
            if self.settings.scope == "domain":
                taken, offsets = histories.newest(len(histories.items) + 1, queries.domains)
            else:
                taken, offsets = histories.items, histories.offsets
            profile = sp.csr_array(
                (np.ones(len(taken), np.float32), taken, offsets), shape=(len(queries), self.num_items)
            )
            return torch.from_numpy(((profile @ similarity).toarray() + tie) * prior)

        return score


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
