"""Candidate sampling: the positives of one domain's samples, and negatives from the domain's corpus.

Negatives come from two samplers, used alone or together: *in-batch*, the positives of the domain's other samples in the
batch, and *uniform*, M items of the domain's corpus, drawn without replacement. The union of positives and negatives is
a set shared by all samples of the domain, so that the item tower encodes each item once.

**The correction (ADI eq. 4).** Let S be the negatives of a sample, drawn independently of its positive y, with v in S
with probability Q(v). The sample's candidates are C = S + {y}. If items enter S independently of each other, then

    P(C | y) = prod_{v in C, v != y} Q(v)  prod_{v not in C} (1 - Q(v)) = constant(C) / Q(y)

and by Bayes ``P(y | x, C)`` is proportional to ``P(y | x) / Q(y)``, for y and for every other member of C. Hence
``- log Q`` is added to the logits of positives and negatives. Q is the probability that v is in the set, however often
it was drawn. Let p(v) be the share of v in the domain's training positives, n the number of the domain's samples in the
batch, and V the corpus:

    Q(v) = 1 - (1 - p(v))^(n - 1) (1 - M / |V|)

M = 0 for in-batch negatives alone; for uniform negatives alone, the middle factor is absent. With M = |V|, every Q is
1, and the loss is the softmax over the corpus. The argument also holds for the uniform sampler, although its draws are
not independent: every y in C is equally likely to be the item that was added. For in-batch negatives, it is an
approximation in two respects. They share n - 1 draws, which matters less as n grows; and an epoch draws its rows
without replacement, which does not matter while n is small compared to the domain's rows. If every Q is above 0, the
sum over S of ``exp(score) / Q`` is an unbiased estimate of the sum over the corpus.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from adi.columns import columns_of

Ints = NDArray[np.int64]
Floats = NDArray[np.float32]
NO_ITEMS: Ints = np.empty(0, dtype=np.int64)


@dataclass(frozen=True)
class Candidates:
    """The set of candidates shared by n samples of one domain, as the columns of `adi.losses.sampled_softmax`.

    Attributes:
        items: (m,) item indices, ascending, each once.
        positive: (n,) the column of each sample's positive, followed by those of pseudo-positives.
        log_q: (m,) log of the probability that the column is in the set as a negative; +inf for an item that is in the
            set only as a positive and must not serve as a negative (a pseudo-positive, or any positive without in-batch
            negatives).
        positive_log_q: (n,) the same for each sample's positive, always finite.
    """

    items: Ints
    positive: Ints
    log_q: Floats
    positive_log_q: Floats

    def in_order(self, samples: Ints) -> "Candidates":
        """The candidates where the i-th sample drawn is sample ``samples[i]`` (n,)."""
        order = np.argsort(samples)
        return replace(self, positive=self.positive[order], positive_log_q=self.positive_log_q[order])

    def known(self, items: Ints, offsets: Ints) -> tuple[Ints, Ints]:
        """The known positives among the candidates, which must be masked: (offsets (n + 1,), columns (P,)).

        Args:
            items: known positives of each sample's user in this domain, as item indices, one sample after the other.
            offsets: (n + 1,) the position at which each sample's items begin; the last is ``len(items)``.
        """
        columns = columns_of(items, self.items)
        hits = np.flatnonzero(columns >= 0)
        return np.searchsorted(hits, offsets), columns[hits]


@dataclass(frozen=True)
class DomainCorpus:
    """The items that can be retrieved in a domain.

    Attributes:
        items: (V,) item indices, strictly ascending, at least one.
        counts: (V,) number of the domain's training rows of each item; 0 for an eligible item without any.
    """

    items: Ints
    counts: Ints

    def __post_init__(self) -> None:
        if self.items.shape != self.counts.shape or self.items.ndim != 1 or not len(self.items):
            raise ValueError(
                f"a corpus needs one count for each item, not {self.items.shape} items and {self.counts.shape} counts"
            )
        if (np.diff(self.items) <= 0).any() or (self.counts < 0).any():
            raise ValueError("a corpus needs its items in ascending order, each once, with counts of at least 0")

    @cached_property
    def total(self) -> int:
        """The number of the domain's training rows."""
        return int(self.counts.sum())

    def positions(self, items: Ints) -> Ints:
        """The position of each item in the corpus. Raises `ValueError` for an item that is not in it."""
        positions = np.searchsorted(self.items, items)
        foreign = self.items.take(positions, mode="clip") != items
        if foreign.any():
            raise ValueError(
                f"{foreign.sum()} positives are not in the domain's corpus, the first of them item {items[foreign][0]}"
            )
        return positions


class NegativeSampler:
    """Draws the candidates of a domain's samples.

    Args:
        corpora: each domain's corpus, in the order of the domains.
        in_batch: use the positives of the domain's other samples as negatives.
        uniform: number of negatives drawn uniformly from the domain's corpus, without replacement. With at least the
            size of the corpus, all its items are negatives and the loss is the full softmax.

    Raises:
        ValueError: if both samplers are off, or `uniform` is negative.

    Example:
        >>> corpus = DomainCorpus(items=np.array([2, 5, 7, 9]), counts=np.array([3, 0, 1, 4]))
        >>> sampler = NegativeSampler([corpus], in_batch=True, uniform=4)
        >>> candidates = sampler.draw(0, np.array([9, 2]), np.random.default_rng(0))
        >>> candidates.items, candidates.positive
        (array([2, 5, 7, 9]), array([3, 0]))
    """

    def __init__(self, corpora: Sequence[DomainCorpus], *, in_batch: bool, uniform: int) -> None:
        if uniform < 0 or not (in_batch or uniform):
            raise ValueError(f"in_batch={in_batch} and uniform={uniform} give no negatives: turn on one of them")
        self.corpora = tuple(corpora)
        self.in_batch = in_batch
        self.uniform = uniform

    def draw(
        self,
        domain: int,
        positives: Ints,
        rng: np.random.Generator,
        *,
        pseudo: Ints = NO_ITEMS,
        shares: Callable[[Ints], NDArray[np.float64]] | None = None,
    ) -> Candidates:
        """Draw candidates for the samples of `domain` with the item indices `positives` (n,) as positives.

        The items `pseudo` (g,) are the positives of g further samples, chosen by self-training. They were not drawn
        from the domain's rows, so that their probabilities are unknown. They therefore never serve as negatives. Their
        negatives are those of the other samples, from n draws in the batch instead of n - 1, a negligible difference.

        `shares` returns p(v) of given items, where the samples do not come from all of the domain's rows alike; by
        default, p(v) is the share of the item in the domain's rows.

        The cost grows with n + `uniform`, and with the logarithm of the size of the corpus.

        Raises `ValueError` if a positive is not in the domain's corpus.
        """
        corpus = self.corpora[domain]
        n, num_positives, size = len(positives), len(positives) + len(pseudo), len(corpus.items)
        drawn = _choose(size, self.uniform, rng)  # (M,)
        positions = np.concatenate([corpus.positions(positives), corpus.positions(pseudo), drawn])
        members, columns = np.unique(positions, return_inverse=True)  # (m,), (n + g + M,)
        positive = columns[:num_positives]
        if shares is None:
            counts = corpus.counts[members]
            if not len(drawn):
                counts = np.maximum(counts, 1)  # all members are positives, so that a count of 0 cannot be right
            share = counts / max(corpus.total, 1)
        else:
            share = shares(corpus.items[members])
        others = max(n - 1, 0) if self.in_batch else 0
        log_q = log_inclusion(share=share, others=others, uniform=len(drawn) / size)
        is_negative = np.zeros(len(members), dtype=bool)
        is_negative[columns[num_positives:]] = True
        if self.in_batch:
            is_negative[columns[:n]] = True
        negative_log_q = np.where(is_negative, log_q, np.float32(np.inf))
        return Candidates(corpus.items[members], positive, negative_log_q, log_q[positive])


def log_inclusion(*, share: NDArray[np.float64], others: int, uniform: float) -> Floats:
    """Log of Q(v), the probability that v is among the negatives of a sample (see the module's docstring).

    Exact even for Q far below the resolution of 1 - Q. If no negatives are possible, it is 0: the positive is then the
    sample's only candidate, and any finite number gives the same loss.

    Args:
        share: (m,) share of each item in the domain's training positives, p(v).
        others: number of the domain's other samples in the batch, n - 1; 0 without in-batch negatives.
        uniform: share of the corpus that is drawn uniformly, M / |V|.
    """
    if not others and not uniform:
        return np.zeros(len(share), dtype=np.float32)
    with np.errstate(divide="ignore"):  # log 0 = -inf is intended: an item that is certain to be drawn
        log_miss = np.log1p(-uniform) + (others * np.log1p(-share) if others else np.zeros(len(share)))
        log_q: Floats = np.log(-np.expm1(log_miss)).astype(np.float32)
    return log_q


def _choose(size: int, number: int, rng: np.random.Generator) -> Ints:
    """Draw `number` distinct positions below `size`, in any order; all of them if `number` is at least `size`."""
    if number >= size:
        return np.arange(size)
    return rng.choice(size, number, replace=False, shuffle=False)
