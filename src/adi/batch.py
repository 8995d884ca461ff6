"""What goes through a model, and the shape legend of the whole package.

    B   samples of a batch                  D   domains
    N   candidates of a batch               E   embedding_dim
    F   features of a tower                 K   shared networks
    T   values of all bags of a feature     n, m   samples, candidates of one domain

A batch is *domain-major*: its samples, and its candidates, are sorted by domain, and D + 1 offsets say where each
domain begins. So a domain-specific layer works on contiguous slices and a sample runs only its own domain's network.
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from adi.features.bags import FeatureArrays

Offsets = tuple[int, ...]
"""D + 1 row numbers; rows ``offsets[d]:offsets[d + 1]`` belong to domain d."""


@dataclass(frozen=True)
class Bags:
    """The rows of an embedding table that each of R samples averages, for one feature.

    `offsets` (R + 1,) cuts `values` (T,) into bags, the newest value of a history last; None where every bag holds
    exactly one value. Where they are on a device, `cuts` are the same on the CPU.
    """

    values: Tensor
    offsets: Tensor | None = None
    cuts: Tensor | None = None

    def to(self, device: torch.device) -> "Bags":
        """The same on a device."""
        if self.offsets is None:
            return Bags(moved(self.values, device))
        return Bags(moved(self.values, device), moved(self.offsets, device), cuts=self.offsets)

    def part(self, start: int, stop: int) -> "Bags":
        """Those of some of the samples."""
        if self.offsets is None:
            return Bags(self.values[start:stop])
        cuts = self.offsets if self.cuts is None else self.cuts
        first, last = int(cuts[start]), int(cuts[stop])
        moved_cuts = None if self.cuts is None else self.cuts[start : stop + 1] - first
        return Bags(self.values[first:last], self.offsets[start : stop + 1] - first, moved_cuts)


FeatureBags = dict[str, Bags]
"""A tower's input: the bags of each feature, in the order of the features."""


def tensors(arrays: FeatureArrays) -> FeatureBags:
    """A tower's input from what `adi.features.reader.FeatureReader` read; the memory is shared."""
    return {
        name: Bags(torch.from_numpy(bags.values), None if bags.offsets is None else torch.from_numpy(bags.offsets))
        for name, bags in arrays.items()
    }


@dataclass(frozen=True)
class DomainCandidates:
    """The columns of one domain's logits, see `adi.losses.sampled_softmax`; `known` may be empty."""

    positive: Tensor
    log_q: Tensor
    positive_log_q: Tensor
    known: tuple[Tensor, Tensor]

    def to(self, device: torch.device) -> "DomainCandidates":
        """The same on a device, but for the offsets of the known, which stay."""
        positive, log_q, positive_log_q = (
            moved(own, device) for own in (self.positive, self.log_q, self.positive_log_q)
        )
        return DomainCandidates(positive, log_q, positive_log_q, (self.known[0], moved(self.known[1], device)))


@dataclass(frozen=True)
class Batch:
    """B samples and their N candidates; `candidates` has an entry for each domain that has samples.

    `item_log_popularity` (N,) is the log of each candidate's share of its domain's training rows.
    """

    size: int
    user: FeatureBags
    user_offsets: Offsets
    item: FeatureBags
    item_offsets: Offsets
    item_log_popularity: Tensor
    candidates: dict[int, DomainCandidates]

    def to(self, device: torch.device) -> "Batch":
        """The same on a device."""
        if device.type == "cpu":
            return self
        return replace(
            self,
            user=moved_bags(self.user, device),
            item=moved_bags(self.item, device),
            item_log_popularity=moved(self.item_log_popularity, device),
            candidates={domain: own.to(device) for domain, own in self.candidates.items()},
        )


def moved_bags(bags: FeatureBags, device: torch.device) -> FeatureBags:
    """A tower's input on a device."""
    return {name: own.to(device) for name, own in bags.items()}


def moved(tensor: Tensor, device: torch.device) -> Tensor:
    """A tensor on a device, without waiting for what is under way there."""
    return tensor.to(device, non_blocking=True)
