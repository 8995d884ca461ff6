"""Training batches: the input of a model, and the legend of shapes used throughout the package.

    B   samples of a batch                  D   domains
    N   candidates of a batch               E   embedding_dim
    F   features of a tower                 K   shared networks
    T   values of all bags of a feature     n, m   samples, candidates of one domain

A batch is *domain-major*: its samples and its candidates are sorted by domain, and D + 1 offsets mark where each domain
begins. A domain-specific layer therefore works on contiguous slices, and a sample runs only its own domain's network.
"""

from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from adi.features.bags import FeatureArrays

Offsets = tuple[int, ...]
"""D + 1 row numbers; rows ``offsets[d]:offsets[d + 1]`` belong to domain d."""


@dataclass(frozen=True)
class Bags:
    """The rows of an embedding table that each of R samples pools, for one feature.

    `offsets` (R + 1,) divides `values` (T,) into bags; in a history, the newest value is last. It is None if every bag
    has exactly one value. When the offsets are on a GPU, `cuts` is a copy of them on the CPU.
    """

    values: Tensor
    offsets: Tensor | None = None
    cuts: Tensor | None = None

    def to(self, device: torch.device) -> "Bags":
        """A copy on a device."""
        if self.offsets is None:
            return Bags(moved(self.values, device))
        return Bags(moved(self.values, device), moved(self.offsets, device), cuts=self.offsets)

    def part(self, start: int, stop: int) -> "Bags":
        """The bags of samples `start` to `stop`."""
        if self.offsets is None:
            return Bags(self.values[start:stop])
        cuts = self.offsets if self.cuts is None else self.cuts
        first, last = int(cuts[start]), int(cuts[stop])
        moved_cuts = None if self.cuts is None else self.cuts[start : stop + 1] - first
        return Bags(self.values[first:last], self.offsets[start : stop + 1] - first, moved_cuts)


FeatureBags = dict[str, Bags]
"""The input of a tower: the bags of each feature, in the order of the features."""


def tensors(arrays: FeatureArrays) -> FeatureBags:
    """Convert arrays from `adi.features.reader.FeatureReader` to the input of a tower; they share memory."""
    return {
        name: Bags(torch.from_numpy(bags.values), None if bags.offsets is None else torch.from_numpy(bags.offsets))
        for name, bags in arrays.items()
    }


@dataclass(frozen=True)
class DomainCandidates:
    """The candidates of one domain's samples, as columns of its logits (see `adi.losses.sampled_softmax`).

    `known` may be empty.
    """

    positive: Tensor
    log_q: Tensor
    positive_log_q: Tensor
    known: tuple[Tensor, Tensor]

    def part(self, start: int, stop: int) -> "DomainCandidates":
        """Those of samples `start` to `stop`."""
        offsets, columns = self.known
        known = offsets[start : stop + 1] - offsets[start], columns[int(offsets[start]) : int(offsets[stop])]
        return replace(
            self, positive=self.positive[start:stop], positive_log_q=self.positive_log_q[start:stop], known=known
        )

    def to(self, device: torch.device) -> "DomainCandidates":
        """A copy on a device, except for the offsets of `known`, which stay on the CPU."""
        positive, log_q, positive_log_q = (
            moved(tensor, device) for tensor in (self.positive, self.log_q, self.positive_log_q)
        )
        return DomainCandidates(positive, log_q, positive_log_q, (self.known[0], moved(self.known[1], device)))


@dataclass(frozen=True)
class DomainTrends:
    """Trend features and co-clicks at the moments of one domain's samples, which are sorted by moment.

    Attributes:
        cuts: g + 1 row numbers: samples ``cuts[i]:cuts[i + 1]`` of the domain have moment i.
        features: trend features of the domain's candidates at each moment (g, m, T).
        pair_offsets: (n + 1,) on the CPU: the pairs of sample i are ``pair_offsets[i]:pair_offsets[i + 1]``.
        pair_columns: the candidate of each pair (P,).
        co_clicks: of each pair (P, C).
        audiences: of the domain's candidates at each moment (g, m, K, dim); None where they are not known yet.
    """

    cuts: tuple[int, ...]
    features: Tensor
    pair_offsets: Tensor
    pair_columns: Tensor
    co_clicks: Tensor
    audiences: Tensor | None = None

    def to(self, device: torch.device) -> "DomainTrends":
        """A copy on a device, except for the offsets, which stay on the CPU."""
        features, columns, co_clicks = (
            moved(part, device) for part in (self.features, self.pair_columns, self.co_clicks)
        )
        audiences = None if self.audiences is None else moved(self.audiences, device)
        return replace(self, features=features, pair_columns=columns, co_clicks=co_clicks, audiences=audiences)


@dataclass(frozen=True)
class AllCandidates:
    """The candidates of a batch that several processes divide: each encodes its part, and needs the vectors of all.

    Attributes:
        sizes: the number of candidates that each process encodes.
        order: the positions of the N candidates, by domain, among those of all processes one after the other (N,).
        offsets: D + 1 row numbers of the candidates in order.
    """

    sizes: tuple[int, ...]
    order: Tensor
    offsets: Offsets

    def to(self, device: torch.device) -> "AllCandidates":
        """A copy on a device."""
        return replace(self, order=moved(self.order, device))


@dataclass(frozen=True)
class Batch:
    """B samples and their N candidates.

    Where several processes divide a batch, `user` and `item` have the samples and candidates of this process, `size` is
    the number of all samples, and `all_candidates` says how to join the candidates, to which `candidates` refers.

    `candidates` has an entry for each domain with samples. `item_log_popularity` (N,) is the log of each candidate's
    share of its domain's training rows. Where the schema asks for trends, `trends` has an entry for each domain with
    samples.
    """

    size: int
    user: FeatureBags
    user_offsets: Offsets
    item: FeatureBags
    item_offsets: Offsets
    item_log_popularity: Tensor
    candidates: dict[int, DomainCandidates]
    trends: dict[int, DomainTrends] = field(default_factory=dict)
    all_candidates: AllCandidates | None = None

    def to(self, device: torch.device) -> "Batch":
        """A copy on a device."""
        if device.type == "cpu":
            return self
        return replace(
            self,
            user=moved_bags(self.user, device),
            item=moved_bags(self.item, device),
            item_log_popularity=moved(self.item_log_popularity, device),
            candidates={domain: candidates.to(device) for domain, candidates in self.candidates.items()},
            trends={domain: trends.to(device) for domain, trends in self.trends.items()},
            all_candidates=None if self.all_candidates is None else self.all_candidates.to(device),
        )


def moved_bags(bags: FeatureBags, device: torch.device) -> FeatureBags:
    """Copy the input of a tower to a device."""
    return {name: feature_bags.to(device) for name, feature_bags in bags.items()}


def moved(tensor: Tensor, device: torch.device) -> Tensor:
    """Copy a tensor to a device, without waiting for work queued on it."""
    return tensor.to(device, non_blocking=True)
