"""Training batches: shuffled rows, sorted by domain, with their histories, features and candidates."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch

from adi.batch import Batch, DomainCandidates, DomainTrends, tensors
from adi.data.arrays import Array
from adi.data.corpora import Corpora
from adi.data.dataset import Dataset
from adi.data.histories import Histories
from adi.data.queries import Queries
from adi.features.reader import FeatureReader
from adi.negatives import NO_ITEMS, Candidates, DomainCorpus, NegativeSampler
from adi.processes.group import ALONE, Processes
from adi.training.division import all_candidates, offsets_of, own_rows, parts_of_domains
from adi.training.moments import Moments
from adi.training.row_weights import drawn_by_weight, weighted_counts
from adi.training.unknown_items import with_unknown_items

CHUNK = 4096
WINDOW = 256 * CHUNK


@dataclass(frozen=True)
class PseudoPositives:
    """Training rows used as additional positives of another domain: row `rows[i]` in domain `domains[i]`."""

    rows: Array
    domains: Array

    def __len__(self) -> int:
        return len(self.rows)


NO_PSEUDO = PseudoPositives(np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64))


class Loader:
    """Yields the batches of an epoch. A batch depends only on (seed, epoch, step), not on earlier batches.

    Args:
        dataset: the prepared dataset.
        batch_size: samples per batch; the last batch of an epoch may have fewer.
        sampler: draws the candidates of each domain's samples.
        causal: histories contain only rows earlier than the sample; otherwise, all other training rows of the user.
        seed: seed of the order of the rows and of the negatives.
        weights: how often an epoch has each row of the log on average (`row_weights`). None: it has each training row
            once.
        corpora: whose counts are the popularity of items, the model's prior; by default those of all training rows.
        processes: that divide each batch, by the samples and candidates of each domain.
    """

    def __init__(
        self,
        dataset: Dataset,
        *,
        batch_size: int,
        sampler: NegativeSampler,
        causal: bool = True,
        seed: int = 0,
        unknown: float = 0.0,
        weights: Array | None = None,
        corpora: Corpora | None = None,
        processes: Processes = ALONE,
    ) -> None:
        self.dataset, self.batch_size, self.sampler, self.processes = dataset, batch_size, sampler, processes
        self.causal, self.seed, self.unknown, self.weights = causal, seed, unknown, weights
        self.corpora = dataset.corpora if corpora is None else corpora
        self.reader = FeatureReader(dataset)
        trend = dataset.manifest.trend
        self.lookback = max(self.reader.lookback, trend.co_clicks.last if trend and trend.co_clicks else 0)
        self.num_samples = sum(counts.train for counts in dataset.manifest.by_domain.values())
        if weights is not None:
            self.num_samples = round(float(weights.sum()))
        clicks = dataset.clicks("frozen")
        self.moments = None if clicks is None else Moments(dataset, clicks, batch_size)

    def __len__(self) -> int:
        """The number of batches per epoch."""
        return -(-self.num_samples // self.batch_size)

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """Yield the batches of an epoch, from step `start` on."""
        for rows, rng in self.draws(epoch, start):
            yield self.batch(rows, rng)

    def draws(self, epoch: int, start: int = 0) -> Iterator[tuple[Array, np.random.Generator]]:
        """Yield the arguments of `batch` for each step of an epoch: training rows, and the generator of negatives."""
        pending = np.empty(0, dtype=np.int64)
        step = 0
        blocks = shuffled(self.dataset.num_rows, np.random.default_rng([self.seed, epoch, 0]))
        if self.weights is not None:
            blocks = drawn_by_weight(blocks, self.weights, np.random.default_rng([self.seed, epoch, 0, 2]))
        if self.moments is not None:
            rows = np.concatenate([rows[self.dataset.is_training(rows)] for rows in blocks])
            rng = np.random.default_rng([self.seed, epoch, 0, 1])
            for step, batch in enumerate(self.moments.batches(rows, len(self), rng)):
                if step >= start:
                    yield batch, np.random.default_rng([self.seed, epoch, step + 1])
            return
        for rows in blocks:
            pending = np.concatenate([pending, rows[self.dataset.is_training(rows)]])
            full = len(pending) // self.batch_size * self.batch_size
            for batch in pending[:full].reshape(-1, self.batch_size):
                if step >= start:
                    yield batch, np.random.default_rng([self.seed, epoch, step + 1])
                step += 1
            pending = pending[full:]
        if len(pending) and step >= start:
            yield pending, np.random.default_rng([self.seed, epoch, step + 1])

    def batch(self, rows: Array, rng: np.random.Generator, pseudo: PseudoPositives = NO_PSEUDO) -> Batch:
        """Build the batch of training rows, and of pseudo-positives, which become samples of their target domain.

        The features of a pseudo-positive are those of its row in the target domain: same-domain behaviours, features by
        domain and the domain indicator are the target's. The candidates of the training rows do not depend on the
        pseudo-positives.
        """
        num_domains, num_rows = len(self.dataset.domains), len(rows)
        domains = np.concatenate([self.dataset.targets("train", rows)[2], pseudo.domains])
        rows = np.concatenate([rows, pseudo.rows])
        if self.moments is None:
            order = np.argsort(domains, kind="stable")
        else:
            order = np.lexsort((self.moments.group_of[rows], domains))
        is_pseudo = order >= num_rows
        rows, domains = rows[order], domains[order]
        users, items, _ = self.dataset.targets("train", rows)
        offsets = np.searchsorted(domains, np.arange(num_domains + 1))
        parts = parts_of_domains(self.processes, offsets.tolist())
        sample_rows = own_rows(parts, offsets.tolist())
        own_offsets = np.searchsorted(domains[sample_rows], np.arange(num_domains + 1))
        queries = self.queries(rows[sample_rows], domains[sample_rows])
        known_items, known_offsets = self.dataset.known_positives(users[sample_rows], domains[sample_rows])
        if self.moments is not None and not self.dataset.manifest.repeats:  # a list leaves out the history, too
            known_items, known_offsets = joined((known_items, known_offsets), queries.histories)

        candidates: dict[int, DomainCandidates] = {}
        trends: dict[int, DomainTrends] = {}
        candidate_items: list[Array] = [NO_ITEMS] * num_domains
        for domain, part in enumerate(parts):
            start, stop = offsets[domain], offsets[domain + 1]
            if start == stop:
                continue
            labelled, pseudo_here = (start + np.flatnonzero(mask[start:stop]) for mask in (~is_pseudo, is_pseudo))
            known = None
            if self.moments is not None:
                known = self.moments.of_samples(domain, rows[start:stop])
                known.own = labelled - start
            drawn = self.sampler.draw(
                domain, items[labelled], rng, pseudo=items[pseudo_here], shares=None if known is None else known.shares
            ).in_order(np.concatenate([labelled, pseudo_here]) - start)
            candidate_items[domain] = drawn.items
            first, last = own_offsets[domain], own_offsets[domain + 1]
            if first == last:
                continue
            cuts = known_offsets[first : last + 1]
            candidates[domain] = _columns(drawn, part, drawn.known(known_items[cuts[0] : cuts[-1]], cuts - cuts[0]))
            if known is not None:
                trends[domain] = known.trends(drawn.items, queries.part(first, last).histories, part)
        item_parts = parts_of_domains(self.processes, offsets_of([len(items) for items in candidate_items]))
        encoded = [items[part] for items, part in zip(candidate_items, item_parts, strict=True)]
        popularity = [self.corpora.log_popularity(domain, items) for domain, items in enumerate(encoded)]
        sizes = [len(items) for items in encoded]
        user = self.reader.user_bags(queries)
        item = self.reader.item_bags(np.concatenate(encoded), np.repeat(np.arange(num_domains), sizes))
        if self.unknown:
            if self.processes.several:  # other numbers in each process
                rng = np.random.default_rng([int(rng.integers(1 << 32)), self.processes.rank])
            user = with_unknown_items(user, self.reader.user_features, self.unknown, rng)
            item = with_unknown_items(item, self.reader.item_features, self.unknown, rng)
        return Batch(
            size=len(rows),
            user=tensors(user),
            user_offsets=tuple(own_offsets.tolist()),
            item=tensors(item),
            item_offsets=offsets_of(sizes),
            item_log_popularity=torch.from_numpy(np.concatenate(popularity)),
            candidates=candidates,
            trends=trends,
            all_candidates=all_candidates(self.processes, [len(items) for items in candidate_items]),
        )

    def queries(self, rows: Array, domains: Array) -> Queries:
        """The queries of training rows in `domains`, which may differ from the rows' domains."""
        queries = self.dataset.queries("train", rows, causal=self.causal, lookback=self.lookback)
        return replace(queries, domains=domains)


def _columns(drawn: Candidates, part: slice, known: tuple[Array, Array]) -> DomainCandidates:
    """The candidates of a part of the samples for which they were drawn."""
    return DomainCandidates(
        positive=torch.from_numpy(drawn.positive[part]),
        log_q=torch.from_numpy(drawn.log_q),
        positive_log_q=torch.from_numpy(drawn.positive_log_q[part]),
        known=(torch.from_numpy(known[0]), torch.from_numpy(known[1])),
    )


def joined(known: tuple[Array, Array], histories: Histories) -> tuple[Array, Array]:
    """Each sample's known positives followed by the items of its history: items (T,), offsets (n + 1,)."""
    items, offsets = known
    both = Histories(items, np.zeros_like(items), offsets).then(histories)
    return both.items, both.offsets


def shuffled(num_rows: int, rng: np.random.Generator) -> Iterator[Array]:
    """Yield every row number once, in random order, in blocks.

    Up to `WINDOW` rows, this is a full permutation. Otherwise, contiguous chunks are drawn in random order until they
    fill a window, whose rows are then permuted: memory stays bounded, and the disk is read in contiguous runs.
    """
    chunks = rng.permutation(-(-num_rows // CHUNK))
    for first in range(0, len(chunks), WINDOW // CHUNK):
        starts = chunks[first : first + WINDOW // CHUNK] * CHUNK
        rows = (starts[:, None] + np.arange(CHUNK)).reshape(-1)
        yield rng.permutation(rows[rows < num_rows])


def negative_sampler(
    dataset: Dataset, *, in_batch: bool, uniform: int, weights: Array | None = None
) -> NegativeSampler:
    """Build a sampler over the dataset's corpora, including items of training rows that are no longer eligible.

    `weights` are those of the loader's rows.
    """
    counts = dataset.corpora.counts if weights is None else weighted_counts(dataset, weights)
    pairs = zip(dataset.corpora.items, counts, strict=True)
    corpora = [DomainCorpus(items.astype(np.int64), np.asarray(counts)) for items, counts in pairs]
    return NegativeSampler(corpora, in_batch=in_batch, uniform=uniform)
