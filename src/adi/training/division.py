"""The division of a batch among processes: each has a part of the samples and of the candidates of every domain."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import torch

from adi.batch import AllCandidates, Offsets
from adi.data.arrays import Array
from adi.processes.group import Processes


def offsets_of(sizes: Sequence[int]) -> Offsets:
    """The offsets of parts of given sizes, which follow one another."""
    return (0, *np.cumsum(sizes).tolist())


def parts_of_domains(processes: Processes, offsets: Sequence[int]) -> list[slice]:
    """This process's part of the samples of each domain, or of its candidates; another process begins in the next."""
    return [processes.part(stop - start, turn=domain) for domain, (start, stop) in enumerate(pairwise(offsets))]


def own_rows(parts: Sequence[slice], offsets: Sequence[int]) -> Array:
    """The rows of the parts of all domains, which begin at `offsets`."""
    bounds = zip(pairwise(offsets), parts, strict=True)
    return np.concatenate([np.arange(start, stop)[part] for (start, stop), part in bounds])


def all_candidates(processes: Processes, sizes: Sequence[int]) -> AllCandidates | None:
    """The order that joins the candidates of all processes, given their number by domain; None for one process."""
    if not processes.several:
        return None
    parts = [processes.parts(size, turn=domain) for domain, size in enumerate(sizes)]
    lengths = np.array([[part.stop - part.start for part in of_domain] for of_domain in parts]).T  # (processes, D)
    starts = np.cumsum(lengths).reshape(lengths.shape) - lengths
    offsets = offsets_of(sizes)
    order = np.empty(offsets[-1], dtype=np.int64)
    for domain, of_domain in enumerate(parts):
        for rank, part in enumerate(of_domain):
            first = offsets[domain] + part.start
            order[first : first + lengths[rank, domain]] = starts[rank, domain] + np.arange(lengths[rank, domain])
    return AllCandidates(tuple(lengths.sum(axis=1).tolist()), torch.from_numpy(order), offsets)
