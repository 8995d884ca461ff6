"""Overlap of domains: the users and items that each pair of domains has in common (Table 5 of the paper)."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from adi.data.arrays import Array
from adi.data.dataset import Dataset

ROWS_AT_ONCE = 1 << 20
"""Rows of the log, users or items in memory at once. Beside them, D bytes are held for each user and item."""


@dataclass(frozen=True)
class Overlap:
    """The overlap of D domains in users, or in items.

    `together` (D, D) counts those in both domains of each pair, and on the diagonal those in each domain. `anywhere`
    counts those in any domain, `shared` those in two or more.
    """

    together: Array
    anywhere: int
    shared: int

    @property
    def share(self) -> float:
        """The share that is in two or more domains; NaN if there are none at all."""
        return self.shared / self.anywhere if self.anywhere else float("nan")


@dataclass(frozen=True)
class Overlaps:
    """The overlap of domains in users and in items."""

    domains: tuple[str, ...]
    users: Overlap
    items: Overlap

    def in_words(self) -> str:
        """``49 % of users and 79 % of items are in two domains or more``."""
        users, items = (f"{100 * overlap.share:.0f} %" for overlap in (self.users, self.items))
        return f"{users} of users and {items} of items are in two domains or more"


def overlaps(dataset: Dataset) -> Overlaps:
    """Count the users and items that domains have in common, in the training and validation rows of a dataset."""
    sizes = dataset.manifest.users, dataset.manifest.items
    users, items = (np.zeros((size, len(dataset.domains)), dtype=bool) for size in sizes)
    for rows in _blocks(dataset.num_rows):
        user, item, domain = dataset.targets("train", np.arange(rows.start, rows.stop))
        users[user, domain] = True
        items[item, domain] = True
    return Overlaps(dataset.domains, _overlap(users), _overlap(items))


def _overlap(member: Array) -> Overlap:
    """The overlap of N entities from their memberships of domains, (N, D) bool."""
    together = np.zeros((member.shape[1], member.shape[1]), dtype=np.int64)
    domains_of = np.zeros(member.shape[1] + 1, dtype=np.int64)  # entities in exactly 0, 1, 2 ... domains
    for rows in _blocks(len(member)):
        block = member[rows]
        together += (block.T.astype(np.float32) @ block.astype(np.float32)).astype(np.int64)
        domains_of += np.bincount(block.sum(axis=1), minlength=len(domains_of))
    return Overlap(together, anywhere=int(domains_of[1:].sum()), shared=int(domains_of[2:].sum()))


def _blocks(length: int) -> Iterator[slice]:
    for first in range(0, length, ROWS_AT_ONCE):
        yield slice(first, min(first + ROWS_AT_ONCE, length))
