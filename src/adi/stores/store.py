"""The interface of a vector store to which a run's items are copied."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import pyarrow as pa

from adi.data.arrays import Array
from adi.errors import ArgumentError

NUMBER, ID, DOMAIN, VECTOR = "number", "id", "domain", "vector"
RESERVED = (NUMBER, ID, DOMAIN, VECTOR)
"""The fields of every record, beside the items' attributes: a number of its own, the item, the domain and the vector
of the item in the domain."""


@dataclass(frozen=True)
class Items:
    """n items of one domain.

    Attributes:
        first: the number of the first one; the others follow it.
        vectors: (n, dim) float32.
        attributes: a table of n rows.
    """

    domain: str
    first: int
    ids: Sequence[str]
    vectors: Array
    attributes: pa.Table


Answer = list[tuple[str, float]]
"""Items and their scores, best first."""


class Store(Protocol):
    """A new collection of items in a vector store. It takes the place of an earlier one when all of it is there.

    Attributes:
        efforts: how far a search may look, least first; 0 alone for a store that scans.
    """

    efforts: Sequence[int]

    def create(self, dim: int, attributes: pa.Schema) -> None:
        """Begin the collection."""
        ...

    def add(self, items: Items) -> None: ...

    def finish(self) -> None:
        """Make everything that was added searchable."""
        ...

    def search(self, domain: str, queries: Array, k: int, effort: int) -> list[Answer]:
        """The `k` items of a domain with the highest inner product with each query (n, dim)."""
        ...


def check_names(attributes: pa.Schema) -> None:
    """Raise `ArgumentError` for an attribute with the name of a field that every record has."""
    for name in attributes.names:
        if name in RESERVED:
            raise ArgumentError(
                "attributes",
                f"an attribute is called '{name}', which is a field of every record ({', '.join(RESERVED)}). "
                f"Name those to copy, without '{name}'.",
            )
