"""Training batches: shuffled rows, sorted by domain, with their histories, features and candidates."""

from collections.abc import Iterator

import numpy as np
import torch

from adi.batch import Batch, DomainCandidates
from adi.data.arrays import Array
from adi.data.dataset import Dataset
from adi.data.features import FeatureReader
from adi.negatives import DomainCorpus, NegativeSampler

CHUNK = 4096
WINDOW = 256 * CHUNK


class Loader:
    """Yields the batches of an epoch; the same (seed, epoch, step) gives the same batch, whatever came before.

    Args:
        dataset: where the rows are.
        batch_size: samples of a batch; the last of an epoch may have fewer.
        sampler: draws the candidates of each domain's samples.
        causal: histories hold what was earlier than the row, else all that the user did beside it.
        seed: of the order of the rows and of the negatives.
    """

    def __init__(
        self, dataset: Dataset, *, batch_size: int, sampler: NegativeSampler, causal: bool = True, seed: int = 0
    ) -> None:
        self.dataset, self.batch_size, self.sampler = dataset, batch_size, sampler
        self.causal, self.seed = causal, seed
        self.reader = FeatureReader(dataset)
        self.num_samples = sum(counts.train for counts in dataset.manifest.by_domain.values())

    def __len__(self) -> int:
        """Batches of an epoch."""
        return -(-self.num_samples // self.batch_size)

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """The batches of an epoch, from step `start` on."""
        left = np.empty(0, dtype=np.int64)
        step = 0
        for rows in shuffled(self.dataset.num_rows, np.random.default_rng([self.seed, epoch, 0])):
            left = np.concatenate([left, rows[self.dataset.is_training(rows)]])
            whole = len(left) // self.batch_size * self.batch_size
            for batch in left[:whole].reshape(-1, self.batch_size):
                if step >= start:
                    yield self.batch(batch, np.random.default_rng([self.seed, epoch, step + 1]))
                step += 1
            left = left[whole:]
        if len(left) and step >= start:
            yield self.batch(left, np.random.default_rng([self.seed, epoch, step + 1]))

    def batch(self, rows: Array, rng: np.random.Generator) -> Batch:
        """The batch of given training rows."""
        num_domains = len(self.dataset.domains)
        rows = rows[np.argsort(self.dataset.targets("train", rows)[2], kind="stable")]
        users, items, domains = self.dataset.targets("train", rows)
        offsets = np.searchsorted(domains, np.arange(num_domains + 1))
        queries = self.dataset.queries("train", rows, causal=self.causal, lookback=self.reader.lookback)
        known_items, known_offsets = self.dataset.known_positives(users, domains)

        candidates: dict[int, DomainCandidates] = {}
        candidate_items, popularity, item_offsets = [], [], [0]
        for domain in range(num_domains):
            own = slice(offsets[domain], offsets[domain + 1])
            if own.start < own.stop:
                drawn = self.sampler.draw(domain, items[own], rng)
                cuts = known_offsets[own.start : own.stop + 1]
                known = drawn.known(known_items[cuts[0] : cuts[-1]], cuts - cuts[0])
                candidate_items.append(drawn.items)
                popularity.append(self.dataset.corpora.log_popularity(domain, drawn.items))
                candidates[domain] = DomainCandidates(
                    positive=torch.from_numpy(drawn.positive),
                    log_q=torch.from_numpy(drawn.log_q),
                    positive_log_q=torch.from_numpy(drawn.positive_log_q),
                    known=(torch.from_numpy(known[0]), torch.from_numpy(known[1])),
                )
            item_offsets.append(item_offsets[-1] + (len(drawn.items) if own.start < own.stop else 0))
        item_domains = np.repeat(np.arange(num_domains), np.diff(item_offsets))
        return Batch(
            size=len(rows),
            user=self.reader.user_bags(queries),
            user_offsets=tuple(offsets.tolist()),
            item=self.reader.item_bags(np.concatenate(candidate_items), item_domains),
            item_offsets=tuple(item_offsets),
            item_log_popularity=torch.from_numpy(np.concatenate(popularity)),
            candidates=candidates,
        )


def shuffled(num_rows: int, rng: np.random.Generator) -> Iterator[Array]:
    """All row numbers once, in random order, as blocks.

    A full permutation up to `WINDOW` rows. Of more, contiguous chunks are drawn in random order until they fill a
    window, whose rows are then permuted: memory stays bounded and the disk is read in runs.
    """
    chunks = rng.permutation(-(-num_rows // CHUNK))
    for first in range(0, len(chunks), WINDOW // CHUNK):
        starts = chunks[first : first + WINDOW // CHUNK] * CHUNK
        rows = (starts[:, None] + np.arange(CHUNK)).reshape(-1)
        yield rng.permutation(rows[rows < num_rows])


def negative_sampler(dataset: Dataset, *, in_batch: bool, uniform: int) -> NegativeSampler:
    """A sampler over the dataset's corpora, those training saw and that are no longer eligible included."""
    corpora = dataset.corpora
    pairs = zip(corpora.items, corpora.counts, strict=True)
    return NegativeSampler([DomainCorpus(items, counts) for items, counts in pairs], in_batch=in_batch, uniform=uniform)
