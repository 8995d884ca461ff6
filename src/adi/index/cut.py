"""Searchers of some of an index's items, copied into memory: what one shard of a domain needs."""

import faiss
import numpy as np

from adi.data.arrays import Array
from adi.index.card import IndexCard
from adi.index.searchers import ExactSearcher, InvertedFile, Searcher, item_locations


def cut_searcher(searcher: Searcher, card: IndexCard, positions: Array) -> Searcher:
    """Return a searcher of the items at `positions` (p,), ascending, whose positions become 0 to p - 1.

    Nothing of the whole searcher stays in memory: where it is mapped from a file, its pages can be dropped.
    """
    if isinstance(searcher, InvertedFile) and len(positions):
        index = _cut_lists(searcher.index, positions)
        return InvertedFile(index, item_locations(index), card.reach)
    flat = faiss.IndexFlatIP(card.dim)
    if len(positions):
        flat.add(searcher.vectors_at(positions))  # in one call, since an index that grows has room to spare
    return ExactSearcher(flat)


def _cut_lists(whole: faiss.IndexIVFScalarQuantizer, positions: Array) -> faiss.IndexIVFScalarQuantizer:
    """Return lists with the same centroids that hold the items at `positions` alone.

    A search reads the lists that it reads in the whole index, so that shards together find what the whole index does.
    """
    quantizer = faiss.IndexFlatIP(whole.d)
    quantizer.add(whole.quantizer.reconstruct_n(0, whole.nlist))
    index = faiss.IndexIVFScalarQuantizer(
        quantizer, whole.d, whole.nlist, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT, False
    )
    lists, kept_lists = (faiss.downcast_InvertedLists(each.invlists) for each in (whole, index))
    new_positions = np.full(whole.ntotal, -1)
    new_positions[positions] = np.arange(len(positions))
    for number in range(whole.nlist):
        size = lists.list_size(number)
        if not size:
            continue
        ids = new_positions[faiss.rev_swig_ptr(lists.get_ids(number), size)]
        kept = ids >= 0
        if kept.any():
            codes = faiss.rev_swig_ptr(lists.get_codes(number), size * whole.code_size).reshape(size, -1)[kept]
            ids = ids[kept]
            kept_lists.add_entries(number, len(ids), faiss.swig_ptr(ids), faiss.swig_ptr(codes))
    index.is_trained, index.ntotal = True, len(positions)
    return index
