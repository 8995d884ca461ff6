"""A run's items in a vector store: copied, searched there, and published if it finds what the run finds."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from adi.data.arrays import Array
from adi.data.dataset import Dataset
from adi.errors import AdiError, ArgumentError, suggestion
from adi.evaluation.ranking import positions_in
from adi.exporting.export import open_vectors
from adi.exporting.queries import sample_queries
from adi.models.model import Model
from adi.models.vectors import VectorScorer
from adi.progress import Report, reporting
from adi.stores.lengths import of_equal_length, queries_of
from adi.stores.store import Answer, Items, Store, check_names
from adi.strict import Strict

STORES = {
    "milvus": ("adi.stores.milvus:milvus_items", "pymilvus"),
    "parquet": ("adi.stores.parquet:parquet_files", None),
    "qdrant": ("adi.stores.qdrant:qdrant_items", "qdrant_client"),
    "vespa": ("adi.stores.vespa:vespa_files", None),
}
"""The stores by name: where each is, and the package that it needs, whose extra has the name of the store."""

QUERIES = 200
"""Real queries of each domain whose lists are compared with the run's."""

ITEMS_AT_ONCE = 1 << 14
TOLERANCE = 1e-4
"""The shortfall from the k-th best score that still counts as found, as a share of it."""


class CopiedDomain(Strict):
    """A domain in a store: its items, and the recall of the exact top k, with the effort that a search needs for it."""

    items: int
    recall: float
    effort: int


class CopiedItems(Strict):
    """Items in a store, called `name` there, for which `alias` stands where the store has aliases.

    `dim` is the length of a vector in the store. With `equal_lengths` it has a last coordinate, which is 0 in a query:
    the graph of the vectors as they are found too little (`adi.stores.lengths`).
    Of a model that `has_trends`, the vectors are tastes alone; of a run that `has_blend`, they are without it.
    """

    to: str
    out: str
    alias: str
    name: str
    dim: int
    equal_lengths: bool
    has_trends: bool
    has_blend: bool
    k: int
    domains: dict[str, CopiedDomain]

    def queries(self, users: Array) -> Array:
        """The vectors to search the store with (n, `dim`), from those of users (`Retriever.user_vectors`)."""
        return queries_of(users) if self.equal_lengths else users


class MissedTargetError(AdiError):
    """A store that does not find what it has to."""


Open = Callable[[str, str, str], AbstractContextManager[Store]]


def copy_items(
    run: str | Path,
    to: str,
    out: str,
    *,
    alias: str = "adi",
    attributes: Sequence[str] | None = None,
    target: float = 0.99,
    k: int = 100,
    model: str | Model | None = None,
    prepared: str | Path | None = None,
    verify: bool = True,
    progress: bool | Report = True,
) -> CopiedItems:
    """Copy the items of a run's domains into a vector store, and publish them if the store finds them.

    copy_items("runs/adi-se", "qdrant", "http://localhost:6333")

    Args:
        run: the folder of a complete run of a two-tower model.
        to: ``parquet``, ``milvus``, ``qdrant`` or ``vespa``.
        out: the address of a server, the folder or file of its local form, or the new folder of Parquet and Vespa.
        alias: the name by which the items are asked for; an earlier copy of this name is replaced in one step.
        attributes: of the items, those to copy; None: all.
        target: the share of the exact top `k` that a search must find in each domain, with real queries.
        model, prepared, verify, progress: see `adi.export`.

    Raises `AdiError` for a run without vectors, a store that does not answer or whose package is missing, an attribute
    that does not exist, and where the target is missed; nothing is left in the store then.
    """
    if k < 1 or not 0.0 < target <= 1.0:
        raise ArgumentError("target", f"a recall@{k} of {target}; give one above 0 and up to 1, and a k of 1 or more.")
    if not (alias.isascii() and alias.isidentifier()):
        raise ArgumentError("alias", f"'{alias}' is no name of letters, digits and _.")
    open_store = _store_of(to)
    _, dataset, scorers, blend = open_vectors(Path(run), model, prepared, verify=verify)
    copy = _Copy(dataset, scorers, _attributes_of(dataset, attributes), target, k)
    with reporting(progress) as report:
        for equal_lengths in (False, True):
            name = name_of(alias)
            try:
                with open_store(out, alias, name) as store:
                    dim = copy.fill(store, report, equal_lengths=equal_lengths)
                    domains = copy.compare(store, report, equal_lengths=equal_lengths)
                break
            except MissedTargetError:
                if equal_lengths or store.efforts == (0,):
                    raise
    return CopiedItems(
        to=to,
        out=out,
        alias=alias,
        name=name,
        dim=dim,
        equal_lengths=equal_lengths,
        has_trends=scorers[0].model.has_trends,
        has_blend=blend is not None,
        k=k,
        domains=domains,
    )


def name_of(alias: str) -> str:
    """The name of a copy that is made now."""
    return f"{alias}_{datetime.now(UTC):%Y%m%dT%H%M%S}"


def _store_of(to: str) -> Open:
    if to not in STORES:
        raise ArgumentError("to", f"'{to}' is not one of bundle, {', '.join(STORES)}.{suggestion(to, STORES)}")
    place, package = STORES[to]
    module, _, function = place.partition(":")
    try:
        return getattr(import_module(module), function)  # type: ignore[no-any-return]
    except ModuleNotFoundError as error:
        if package is None or error.name is None or error.name.partition(".")[0] != package:
            raise
        raise AdiError(f"The client of {to} is missing. Install it: pip install 'adi-retrieval[{to}]'") from None


def _attributes_of(dataset: Dataset, names: Sequence[str] | None) -> pa.Schema:
    """The names and types of the attributes to copy, which must be those of all domains."""
    schema = dataset.attributes_schema(0)
    for name in names or ():
        if name not in schema.names:
            raise ArgumentError(
                "attributes", f"'{name}' is not one of {', '.join(schema.names)}.{suggestion(name, schema.names)}"
            )
    chosen = schema if names is None else pa.schema([schema.field(name) for name in names])
    check_names(chosen)
    return chosen


@dataclass(frozen=True)
class _Copy:
    """The items of a run's domains, to write into a store and to find there."""

    dataset: Dataset
    scorers: Sequence[VectorScorer]
    attributes: pa.Schema
    target: float
    k: int

    def fill(self, store: Store, report: Report, *, equal_lengths: bool) -> int:
        """Write all items; returns the length of their vectors."""
        first, count = 0, sum(len(self.dataset.corpora.retrievable(domain)) for domain in range(len(self.scorers)))
        for domain, scorer in enumerate(self.scorers):
            items = self.dataset.corpora.retrievable(domain)
            vectors = scorer.item_vectors(domain, items).numpy()
            vectors = of_equal_length(vectors) if equal_lengths else vectors
            if not domain:
                store.create(vectors.shape[1], self.attributes)
            for begin in range(0, len(items), ITEMS_AT_ONCE):
                report("copying items", first + begin, count)
                block = slice(begin, begin + ITEMS_AT_ONCE)
                store.add(self._items(domain, first + begin, items[block], vectors[block]))
            first += len(items)
        store.finish()
        return int(vectors.shape[1])

    def _items(self, domain: int, first: int, items: Array, vectors: Array) -> Items:
        attributes = self.dataset.attributes_of(domain, items).select(self.attributes.names)
        return Items(self.dataset.domains[domain], first, self.dataset.items.keys_of(items), vectors, attributes)

    def compare(self, store: Store, report: Report, *, equal_lengths: bool) -> dict[str, CopiedDomain]:
        """Search for real users of each domain; raises `MissedTargetError` where too little is found."""
        domains = {}
        for domain, name in enumerate(self.dataset.domains):
            report("comparing domains", domain, len(self.scorers))
            domains[name] = self._compare(store, domain, equal_lengths=equal_lengths)
        report("comparing domains", len(self.scorers), len(self.scorers))
        return domains

    def _compare(self, store: Store, domain: int, *, equal_lengths: bool) -> CopiedDomain:
        """Search with more and more effort, until the target is reached."""
        scorer, name = self.scorers[domain], self.dataset.domains[domain]
        items = self.dataset.corpora.retrievable(domain)
        vectors, k = scorer.item_vectors(domain, items), min(self.k, len(items))
        users = scorer.user_vectors(domain, sample_queries(self.dataset, domain, QUERIES))
        tastes = users[..., : vectors.shape[1]]  # without the weights of trends
        scores = scorer.model.scores(tastes, vectors)  # (n, m)
        kth = scores.topk(k, dim=1).values[:, -1]
        least = kth - TOLERANCE * kth.abs().clamp(min=1.0)
        interests = tastes[:, None] if tastes.ndim == 2 else tastes
        queries = interests.flatten(0, 1).numpy()
        queries, width, recall = queries_of(queries) if equal_lengths else queries, interests.shape[1], 0.0
        for effort in store.efforts:
            answers = store.search(name, queries, k, effort)
            found = [merged(answers[first : first + width], k) for first in range(0, len(answers), width)]
            positions = (self._positions(items, ids) for ids in found)
            hits = sum(
                int((exact[places] >= lowest).sum())
                for exact, lowest, places in zip(scores, least, positions, strict=True)
            )
            recall = hits / (len(found) * k)
            if recall >= self.target:
                return CopiedDomain(items=len(items), recall=recall, effort=effort)
        raise MissedTargetError(
            f"domain '{name}': the store finds {recall:.4f} of the exact top {k}, and the target is {self.target}. "
            "Nothing was published. Lower the target, or serve a bundle."
        )

    def _positions(self, items: Array, ids: Sequence[str]) -> Tensor:
        """The positions of those that are among the items of a domain, ascending."""
        numbers = [number for key in ids if (number := self.dataset.items.find(key)) is not None]
        positions, inside = positions_in(items, np.array(numbers, dtype=np.int64))
        return torch.from_numpy(positions[inside])


def merged(answers: Sequence[Answer], k: int) -> list[str]:
    """The `k` best items of the answers for each of a user's interests."""
    best: dict[str, float] = {}
    for answer in answers:
        for item, score in answer:
            best[item] = max(score, best.get(item, score))
    return sorted(best, key=best.__getitem__, reverse=True)[:k]
