"""Domain-specific parameters, and functions that apply them to a domain-major batch.

Batches are domain-major everywhere in `adi.nn`: rows are sorted by domain, and `offsets` holds D + 1 Python ints, such
that rows ``offsets[d]:offsets[d + 1]`` belong to domain d (possibly none). A sample therefore runs only the network of
its own domain, however many domains there are.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from adi.nn.domain_product import SliceParameters
from adi.nn.domain_state import DomainState

Initialiser = Callable[[Tensor], Tensor | None]
"""Fills a tensor in place, as the functions of `torch.nn.init` do; its return value is ignored."""


class DomainParameter(DomainState):
    """One weight of the given shape per domain.

    Each domain's weight is a separate parameter, not a row of one tensor. A domain absent from the batch therefore
    keeps ``grad = None``, and the optimizer does not touch its weight, moments or step count.

    Args:
        shape: the shape of one domain's weight.
        num_domains: D.
        shrinkage: False, as in the paper: D independently initialised weights. True, an addition of ours: the weight of
            domain d is ``shared + deltas[d]``, with deltas that start at 0. All domains train `shared`, and a low
            learning rate of the deltas (`delta_users` of a training) keeps a domain of few users close to it.
        init: fills each domain's weight; with shrinkage, the shared weight.

    Example:
        >>> bias = DomainParameter((2,), num_domains=3, shrinkage=True, init=nn.init.ones_)
        >>> bias(2).tolist()
        [1.0, 1.0]
        >>> [name for name, _ in bias.named_parameters()]
        ['shared', 'deltas.0', 'deltas.1', 'deltas.2']
    """

    def __init__(self, shape: Sequence[int], num_domains: int, *, shrinkage: bool, init: Initialiser) -> None:
        super().__init__()
        if num_domains < 1:
            raise ValueError(f"num_domains is {num_domains}; a domain-specific weight needs one domain or more")

        def initialised() -> nn.Parameter:
            value = torch.empty(*shape)
            init(value)
            return nn.Parameter(value)

        self.shape, self.num_domains = tuple(shape), num_domains
        self.shared: nn.Parameter | None = None
        if shrinkage:
            self.shared = initialised()
            self.deltas = nn.ParameterList(nn.Parameter(torch.zeros(*shape)) for _ in range(num_domains))
        else:
            self.values = nn.ParameterList(initialised() for _ in range(num_domains))

    @property
    def shrinks(self) -> bool:
        """Whether several domains share a weight that each differs from."""
        return self.shared is not None and self.num_domains > 1

    def forward(self, domain: int) -> Tensor:
        """The weight of domain 0 … D - 1, of the given shape."""
        return self.of_slices([domain])[0]

    def exchange(self, first: int, second: int) -> None:
        values = self.values if self.shared is None else self.deltas
        if self.num_domains > 1:
            values[first], values[second] = values[second], values[first]

    def of_slices(self, domains: Sequence[int]) -> SliceParameters:
        """The weights of `domains`, for slices of a batch that each belong to one domain."""
        values = self.values if self.shared is None else self.deltas
        return SliceParameters([values[domain] for domain in domains], self.shared)

    def of_rows(self, offsets: Sequence[int]) -> Tensor:
        """The weight of each row's domain (B, *shape). Meant for small weights, since each row gets a copy."""
        present = [domain for domain, (start, end) in enumerate(pairwise(offsets)) if end > start]
        if len(present) < 2:
            return by_domain(offsets, lambda domain, rows: self(domain).expand(rows.stop - rows.start, *self.shape))
        slices = self.of_slices(present)
        weights = torch.stack([*slices.values])
        if slices.shared is not None:
            weights = weights + slices.shared
        repeats = torch.tensor([offsets[domain + 1] - offsets[domain] for domain in present])
        repeats = repeats.to(weights.device, non_blocking=True)
        return weights.repeat_interleave(repeats, dim=0, output_size=offsets[-1])


def split_by_domain(x: Tensor, offsets: Sequence[int]) -> tuple[Tensor, ...]:
    """Split the rows of `x` by domain into D views, some of which may have 0 rows.

    This is one split instead of D slices, because backward through a slice allocates a gradient of the whole batch: a
    loop over ``x[rows]`` costs D times the batch (at D = 100, twice the time of the layer).

    Raises ValueError if the offsets do not cover the rows of `x` exactly and in order.
    """
    return x.split_with_sizes(_sizes(x, offsets))


def domains_present(x: Tensor, offsets: Sequence[int]) -> list[int]:
    """The domains that have rows in a batch. Raises ValueError as `split_by_domain` does."""
    return [domain for domain, size in enumerate(_sizes(x, offsets)) if size]


def _sizes(x: Tensor, offsets: Sequence[int]) -> list[int]:
    sizes = [end - start for start, end in pairwise(offsets)]
    if not sizes or offsets[0] != 0 or offsets[-1] != x.shape[0] or min(sizes) < 0:
        raise ValueError(f"offsets {list(offsets)} must rise from 0 to the batch's {x.shape[0]} rows")
    return sizes


def by_domain(offsets: Sequence[int], function: Callable[[int, slice], Tensor]) -> Tensor:
    """Call ``function(domain, rows)`` for each domain that has rows, and concatenate the results.

    `function` returns one output row per input row. If gradients are needed, it should take its input from
    `split_by_domain`.

    For a batch of 0 rows, the result has 0 rows, the right trailing shape, and no gradient. The shape comes from a call
    for domain 0; without detaching, that domain would get gradients of 0, and the optimizer would count a step.

    Example:
        >>> by_domain([0, 2, 2, 3], lambda domain, rows: torch.full((rows.stop - rows.start,), domain)).tolist()
        [0, 0, 2]
    """
    rows = [slice(start, end) for start, end in pairwise(offsets)]
    results = [function(d, rows[d]) for d in range(len(rows)) if rows[d].stop > rows[d].start]
    if not results:
        return function(0, slice(0, 0)).detach()
    return results[0] if len(results) == 1 else torch.cat(results)
