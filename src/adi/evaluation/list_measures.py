"""Measures of lists beyond the item that was held out: novelty, popularity bias, and overlap between domains.

None of these says that a list is good. Beside recall they say what it costs: a model can gain recall by showing the
same few popular items to everybody. Coverage is in `adi.evaluation.coverage`.

Shapes: s queries, lists of k items with -1 where a list is shorter, m items that can be retrieved.
"""

import math
from collections.abc import Mapping

import numpy as np

from adi.data.arrays import Array
from adi.data.corpora import Corpora
from adi.data.dataset import Dataset
from adi.runs.lists import QueryLists
from adi.runs.metrics import Measures


def list_measures(lists: Mapping[str, QueryLists], dataset: Dataset) -> dict[str, Measures]:
    """The measures of each domain's lists, and the number of ``queries`` that they are of."""
    measures: dict[str, Measures] = {}
    for domain, name in enumerate(dataset.domains):
        items = lists[name].items
        measures[name] = {
            "queries": len(items),
            "novelty": novelty(items, dataset.corpora, domain),
            "popularity_rank": popularity_rank(items, dataset.corpora, domain),
            "head_share": head_share(items, dataset.corpora, domain),
        }
    return measures


def novelty(items: Array, corpora: Corpora, domain: int) -> float | None:
    """The mean self-information of the listed items (s, k) in bits; None for lists without items.

        novelty = mean over lists and items i of  -log2 p(i)        p(i) = (n(i) + 1) / (Σ_j n(j) + m)

    n(i) are the item's training rows in the domain, so that p is its chance to be the next click; one more row for each
    item keeps those without any finite. An item with an eighth of the rows has 3 bits. Self-information of Zhou et al.,
    "Solving the apparent diversity-accuracy dilemma of recommender systems" (PNAS 2010), who count users.
    """
    listed = items[items >= 0]
    return _mean(-corpora.log_popularity(domain, listed).astype(np.float64) / math.log(2))


def popularity_rank(items: Array, corpora: Corpora, domain: int) -> float | None:
    """The mean rank of the listed items (s, k) by training rows, as a share of the items that can be retrieved.

        popularity rank = mean over lists and items i of  ( |{j : n(j) > n(i)}| + (|{j : n(j) = n(i)}| + 1) / 2 ) / m

    Near 0: only the most popular items; 0.5: items as popular as ones drawn at random. Items with as many rows share
    the middle of their ranks. None for lists without items.
    """
    counts = np.sort(_counts(corpora, domain))
    of_listed = corpora.counts_of(domain, items[items >= 0])
    above = len(counts) - np.searchsorted(counts, of_listed, side="right")
    equal = len(counts) - above - np.searchsorted(counts, of_listed, side="left")
    return _mean((above + (equal + 1) / 2) / max(len(counts), 1))


def head_share(items: Array, corpora: Corpora, domain: int) -> float | None:
    """The share of the listed items (s, k) that are of the domain's head; None for lists without items.

        head = the fewest items, most popular first, that have half of the training rows of all that can be retrieved

    It is the short head of Abdollahpouri et al., "Controlling Popularity Bias in Learning-to-Rank Recommendation"
    (RecSys 2017), cut at a half, so that 0.5 is the share in the log itself. Of items with as many rows, those with the
    lowest numbers come first.
    """
    retrievable = corpora.retrievable(domain)
    counts = _counts(corpora, domain)
    order = np.argsort(-counts, kind="stable")
    size = np.searchsorted(np.cumsum(counts[order]), counts.sum() / 2) + 1
    return _mean(np.isin(items[items >= 0], retrievable[order[:size]]))


def overlaps(lists: Mapping[str, QueryLists]) -> dict[str, dict[str, float | None]]:
    """The overlap of each pair of domains: how far their lists show the same items as often.

        overlap(a, b) = Σ_i min(p_a(i), p_b(i))        p_d(i) = the share of the list places of domain d with item i

    1 where both show the same items equally often, 0 where they show none in common: the overlapping coefficient of two
    distributions (Inman and Bradley, "The overlapping coefficient as a measure of agreement between probability
    distributions", 1989). Where samples are small, it is too low. None for a domain without lists.
    """
    shares = {name: _shares(part.items) for name, part in lists.items()}
    return {domain: {other: _overlap(shares[domain], shares[other]) for other in shares} for domain in shares}


def _overlap(shares: Mapping[int, float], other: Mapping[int, float]) -> float | None:
    if not shares or not other:
        return None
    return math.fsum(min(share, other[item]) for item, share in shares.items() if item in other)


def _shares(items: Array) -> dict[int, float]:
    """The share of the places of lists (s, k) that each item has."""
    distinct, counts = np.unique(items[items >= 0], return_counts=True)
    return dict(zip(distinct.tolist(), (counts / max(counts.sum(), 1)).tolist(), strict=True))


def _counts(corpora: Corpora, domain: int) -> Array:
    """The training rows of each item that can be retrieved, (m,)."""
    return corpora.counts_of(domain, corpora.retrievable(domain))


def _mean(values: Array) -> float | None:
    return float(values.mean()) if len(values) else None
