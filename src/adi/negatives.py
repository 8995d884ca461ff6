"""Candidates for one domain's slice of a batch: the samples' positives and negatives from the domain's own corpus.

Negatives come from two samplers, alone or mixed: *in-batch*, the positives of the other samples of the domain, and
*uniform*, M items of the domain's corpus without replacement. Their union is a set, so that the item tower encodes each
item once, and all samples of the slice share it.

**The correction (ADI eq. 4).** Let S be the negatives of a sample, drawn without regard to its positive y, with v in S
with probability Q(v). The sample's candidates are C = S + {y}. If the items enter S independently of each other, then

    P(C | y) = prod_{v in C, v != y} Q(v)  prod_{v not in C} (1 - Q(v)) = constant(C) / Q(y)

and by Bayes ``P(y | x, C)`` is proportional to ``P(y | x) / Q(y)``, for y and every other member of C alike. Hence
``- log Q`` on the logit of positive and negatives. What counts is whether v is in the set, not how often it was drawn:
with p(v) the share of v in the domain's training positives, n samples of the domain in the batch, V the corpus,

    Q(v) = 1 - (1 - p(v))^(n - 1) (1 - M / |V|)

in-batch alone with M = 0, uniform alone without the middle factor. With M = |V| every Q is 1 and the loss is the
softmax over the corpus. The argument holds for the uniform sampler too, though its draws are not independent: any y of
C is equally likely to be the one that was added. For in-batch negatives it is an approximation in two ways: they share
n - 1 places (less and less felt as n grows), and an epoch draws its rows without replacement (not felt while n is small
against the domain's rows). As long as every Q is above 0, the sum over S of ``exp(score) / Q`` is an unbiased estimate
of that over the corpus.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float32]
NO_ITEMS: Ints = np.empty(0, dtype=np.int64)
_TABLE_BY_ITEMS = 8
"""A table of all item numbers finds items faster than a search, unless it is so many times longer than they are."""


@dataclass(frozen=True)
class Candidates:
    """The set of candidates that n samples of one domain share, as the columns of `adi.losses.sampled_softmax`.

    Attributes:
        items: (m,) item indices, ascending, each once.
        positive: (n,) the column of each sample's own positive; with pseudo-positives theirs follow.
        log_q: (m,) log of the probability that the column is in the set as a negative; +inf where it is there only as
            somebody's positive and must not serve as a negative (without in-batch negatives, and a pseudo-positive).
        positive_log_q: (n,) the same for each sample's own positive, always finite.
    """

    items: Ints
    positive: Ints
    log_q: Floats
    positive_log_q: Floats

    def known(self, items: Ints, offsets: Ints) -> tuple[Ints, Ints]:
        """Which of the users' known items are candidates, to be masked: (offsets (n + 1,), columns (P,)).

        Args:
            items: item indices known to be liked by each sample's user in this domain, one sample after the other.
            offsets: (n + 1,) where each sample's items begin; the last is ``len(items)``.
        """
        columns = self._columns(items)
        hits = np.flatnonzero(columns >= 0)
        return np.searchsorted(hits, offsets), columns[hits]

    def _columns(self, items: Ints) -> Ints:
        """The column of each item, -1 for one that is no candidate."""
        if not len(items) or not len(self.items):
            return np.full(len(items), -1)
        most = max(items.max(), self.items[-1])
        if most < _TABLE_BY_ITEMS * len(items):
            table = np.full(most + 1, -1)
            table[self.items] = np.arange(len(self.items))
            found: Ints = table.take(items)
            return found
        columns = np.searchsorted(self.items, items)
        return np.where(self.items.take(columns, mode="clip") == items, columns, -1)


@dataclass(frozen=True)
class DomainCorpus:
    """The items that can be retrieved in a domain.

    Attributes:
        items: (V,) item indices, strictly ascending, at least one.
        counts: (V,) positives of each item in the domain's training rows; 0 for an eligible item never seen.
    """

    items: Ints
    counts: Ints

    def __post_init__(self) -> None:
        if self.items.shape != self.counts.shape or self.items.ndim != 1 or not len(self.items):
            raise ValueError(
                f"a corpus has one count for each item: {self.items.shape} items, {self.counts.shape} counts"
            )
        if (np.diff(self.items) <= 0).any() or (self.counts < 0).any():
            raise ValueError("a corpus has its items in ascending order, each once, with counts of at least 0")

    @cached_property
    def total(self) -> int:
        """The domain's training positives."""
        return int(self.counts.sum())

    def positions(self, items: Ints) -> Ints:
        """Where in the corpus each item stands. Raises `ValueError` on one that is not in it."""
        positions = np.searchsorted(self.items, items)
        foreign = self.items.take(positions, mode="clip") != items
        if foreign.any():
            raise ValueError(
                f"{foreign.sum()} positives, item {items[foreign][0]} first, are not in the domain's corpus"
            )
        return positions


class NegativeSampler:
    """Draws the candidates of a domain's samples.

    Args:
        corpora: each domain's corpus, in the order of the domains.
        in_batch: the positives of the domain's other samples serve as negatives.
        uniform: negatives drawn uniformly from the domain's corpus, without replacement. 0: none; at or above the
            corpus's size: all of it, so that the loss is the full softmax.

    Raises:
        ValueError: neither sampler is on, or `uniform` is negative.

    Example:
        >>> corpus = DomainCorpus(items=np.array([2, 5, 7, 9]), counts=np.array([3, 0, 1, 4]))
        >>> sampler = NegativeSampler([corpus], in_batch=True, uniform=4)
        >>> candidates = sampler.draw(0, np.array([9, 2]), np.random.default_rng(0))
        >>> candidates.items, candidates.positive
        (array([2, 5, 7, 9]), array([3, 0]))
    """

    def __init__(self, corpora: Sequence[DomainCorpus], *, in_batch: bool, uniform: int) -> None:
        if uniform < 0 or not (in_batch or uniform):
            raise ValueError(f"no negatives with in_batch={in_batch} and uniform={uniform}: turn on one of them")
        self.corpora = tuple(corpora)
        self.in_batch = in_batch
        self.uniform = uniform

    def draw(self, domain: int, positives: Ints, rng: np.random.Generator, *, pseudo: Ints = NO_ITEMS) -> Candidates:
        """Candidates for the samples of `domain` whose positives are the item indices `positives` (n,).

        The items `pseudo` (g,) are the positives of g more samples. They were chosen and not drawn from the domain, so
        nobody knows how likely each was; they are no negatives, and the others' are theirs (of n draws in the batch
        instead of n - 1, which is not felt).

        Raises `ValueError` if a positive is not in the domain's corpus. The cost grows with n + `uniform`, and with the
        corpus's size only as its logarithm.
        """
        corpus = self.corpora[domain]
        n, own, size = len(positives), len(positives) + len(pseudo), len(corpus.items)
        drawn = _choose(size, self.uniform, rng)  # (M,)
        both = np.concatenate([corpus.positions(positives), corpus.positions(pseudo), drawn])
        members, columns = np.unique(both, return_inverse=True)  # (m,), (n + g + M,)
        positive = columns[:own]
        counts = corpus.counts[members]
        if not len(drawn):
            counts = np.maximum(counts, 1)  # all are positives: one held out of the counts has been drawn all the same
        log_q = log_inclusion(
            share=counts / max(corpus.total, 1), others=max(n - 1, 0) if self.in_batch else 0, uniform=len(drawn) / size
        )
        is_negative = np.zeros(len(members), dtype=bool)
        is_negative[columns[own:]] = True
        if self.in_batch:
            is_negative[columns[:n]] = True
        negative_log_q = np.where(is_negative, log_q, np.float32(np.inf))
        return Candidates(corpus.items[members], positive, negative_log_q, log_q[positive])


def log_inclusion(*, share: NDArray[np.float64], others: int, uniform: float) -> Floats:
    """Log of Q(v), the probability that v is among the negatives of a sample (see the module).

    Exact also for Q far below the resolution of 1 - Q. Where there can be no negatives at all it is 0, for then the
    sample's positive is its only candidate and any finite number does.

    Args:
        share: (m,) of each item in the domain's training positives, p(v).
        others: samples of the domain in the batch beside the one in question, n - 1; 0 without in-batch negatives.
        uniform: share of the corpus that is drawn uniformly, M / |V|.
    """
    if not others and not uniform:
        return np.zeros(len(share), dtype=np.float32)
    with np.errstate(divide="ignore"):  # log 0 = -inf is meant: an item that cannot be missed
        log_miss = np.log1p(-uniform) + (others * np.log1p(-share) if others else np.zeros(len(share)))
        log_q: Floats = np.log(-np.expm1(log_miss)).astype(np.float32)
    return log_q


def _choose(size: int, number: int, rng: np.random.Generator) -> Ints:
    """`number` distinct positions below `size` in any order; all of them if there are no more."""
    if number >= size:
        return np.arange(size)
    return rng.choice(size, number, replace=False, shuffle=False)
