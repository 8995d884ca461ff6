"""The retriever: top-k requests answered from a run or a bundle, in Python as by `adi retrieve`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from adi.bundle.portion import WHOLE, Portion
from adi.data.arrays import Array
from adi.data.bids import check_weight
from adi.data.histories import Histories
from adi.data.queries import Queries
from adi.errors import AdiError, suggestion
from adi.features.reader import context_codes
from adi.retrieval.engine import open_engine
from adi.retrieval.filter_cache import FilterCache
from adi.retrieval.request import Request, TopK
from adi.timing import lap

if TYPE_CHECKING:
    from adi.retrieval.engine import Model


class Retriever:
    """Opens a run or a bundle and answers requests over the whole corpus of a domain.

    A run answers exactly, with any model; a bundle (`adi export`) in milliseconds from millions of items.

    retriever = Retriever("bundle")
    retriever.retrieve("search", user="u17", k=10)
    retriever.retrieve("feed", history=["i3", "i99"], k=10)    # a new user

    Args:
        path: the folder of a complete run, or of a bundle.
        bid: for a run, the items' attribute that holds their bids; a bundle has those it was exported with.
        model: for a run whose model is not one of adi's own: the model, or its import path "package.module:NAME".
        prepared: for a run, another prepared dataset than its own, such as today's; a bundle has the one it was
            exported with.
        portion: for a bundle, the domains and the shard of the items that are loaded and answered from.
        verify: compare every file with its digest, and not only with its size.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        bid: str | None = None,
        model: "str | Model | None" = None,
        prepared: str | Path | None = None,
        portion: Portion = WHOLE,
        verify: bool = False,
    ) -> None:
        self.engine = open_engine(Path(path), bid=bid, model=model, prepared=prepared, portion=portion, verify=verify)
        self.dataset = self.engine.dataset
        self.domains = portion.names(self.dataset.domains)
        """The domains that are answered."""
        self.filters = FilterCache(self.engine)

    def __repr__(self) -> str:
        return f"<Retriever of {self.engine.version}: {', '.join(self.domains)}>"

    def retrieve(
        self,
        domain: str,
        *,
        user: str | None = None,
        history: Sequence[str] | None = None,
        recent: Sequence[tuple[str, str]] = (),
        context: Mapping[str, str] | None = None,
        k: int = 10,
        exclude_seen: bool | None = None,
        exclude: Sequence[str] = (),
        filter: str | None = None,  # noqa: A002 - the field's word, on the command line and over HTTP too
        bid_weight: float = 0.0,
    ) -> TopK:
        """Return the top `k` items of a domain's corpus for a user; `Request` documents the arguments.

        Raises `AdiError` for an unknown domain or context feature, text as the value of a numeric context feature, k
        below 1, an unknown user without a history, a filter that cannot be parsed or does not fit the attributes, a bid
        weight without bids or out of range, and a model whose scores are not finite.
        """
        request = Request(
            domain,
            user=user,
            history=history,
            recent=recent,
            context=context or {},
            k=k,
            exclude_seen=exclude_seen,
            exclude=exclude,
            filter=filter,
            bid_weight=bid_weight,
        )
        (result,) = self.answer([request])
        if isinstance(result, AdiError):
            raise result
        return result

    def user_vectors(
        self,
        domain: str,
        *,
        user: str | None = None,
        history: Sequence[str] | None = None,
        recent: Sequence[tuple[str, str]] = (),
        context: Mapping[str, str] | None = None,
    ) -> Array:
        """Return a user's vectors in a domain, one for each interest (interests, dim), from a bundle.

        The score of an item is the highest inner product with them; a copy of the items in a vector store is searched
        with each (`adi export --to`). Trends, and a blend, have more to say of an item, which `retrieve` adds.

        Raises `AdiError` as `retrieve` does, and for a run.
        """
        request = Request(domain, user=user, history=history, recent=recent, context=context or {})
        vector: Array = self.engine.tastes(self.domain_number(domain), self._queries(request, [self._parse(request)]))[
            0
        ]
        return vector

    def answer(self, requests: Sequence[Request]) -> list[TopK | AdiError]:
        """Return the result of each request, or the error that `retrieve` would raise for it.

        Requests that differ in their user and history only are answered by one search, which is faster.
        """
        results: dict[int, TopK | AdiError] = {}
        parsed: dict[int, _Parsed] = {}
        batches: dict[object, list[int]] = {}
        for number, request in enumerate(requests):
            try:
                parsed[number] = self._parse(request)
            except AdiError as error:
                results[number] = error
            else:
                batches.setdefault(request.batch_key, []).append(number)
        for numbers in batches.values():
            answers = self._answer_batch(requests[numbers[0]], [parsed[number] for number in numbers])
            results |= zip(numbers, answers, strict=True)
        return [results[number] for number in range(len(requests))]

    def domain_number(self, name: str) -> int:
        """Return the number of a domain; raises `AdiError` for an unknown one, with the nearest that exists."""
        domains = self.dataset.domains
        if name not in domains:
            raise AdiError(f"domain '{name}' is not one of {', '.join(domains)}.{suggestion(name, domains)}")
        return domains.index(name)

    def answered_number(self, name: str) -> int:
        """Return the number of a domain that is answered; raises `AdiError` for another one, naming those that are."""
        number = self.domain_number(name)
        if name not in self.domains:
            raise AdiError(
                f"domain '{name}' is not served here. This server has {', '.join(self.domains)}: ask one that has "
                f"'{name}'."
            )
        return number

    def _parse(self, request: Request) -> "_Parsed":
        """Check a request, and replace ids and names by numbers."""
        if request.k < 1:
            raise AdiError(f"k = {request.k}: ask for at least one item.")
        check_weight(request.bid_weight)
        domain = self.answered_number(request.domain)
        user = None if request.user is None else self.dataset.users.find(request.user)
        if user is None and request.history is None and not request.recent:
            who = "no user" if request.user is None else f"user '{request.user}' is not known"
            raise AdiError(f"{who}: give the history of a new user.")
        events = [(item, domain) for item in _checked_ids(request.history or (), "history")]
        events += [(item, self.domain_number(name)) for item, name in request.recent if name in self.dataset.domains]
        items, unknown_items = self._find([item for item, _ in events])
        excluded, unknown_excluded = self._find(_checked_ids(request.exclude, "exclude"))
        exclude_seen = request.exclude_seen
        return _Parsed(
            user=-1 if user is None else user,
            context=context_codes(self.dataset, request.context),
            keeps_logged=request.history is None,
            items=[item for item in items if item is not None],
            domains=[number for (_, number), item in zip(events, items, strict=True) if item is not None],
            excluded=np.asarray([item for item in excluded if item is not None], dtype=np.int64),
            exclude_seen=not self.dataset.manifest.repeats if exclude_seen is None else exclude_seen,
            ignored=(*unknown_items, *unknown_excluded),
        )

    def _find(self, ids: Sequence[str]) -> tuple[list[int | None], list[str]]:
        """Return the numbers of items, None for unknown ones, and the unknown ids."""
        numbers = [self.dataset.items.find(item) for item in ids]
        return numbers, [item for item, number in zip(ids, numbers, strict=True) if number is None]

    def _answer_batch(self, shared: Request, batch: Sequence["_Parsed"]) -> Sequence[TopK | AdiError]:
        """Answer requests by one search; if it fails, each alone, so that one bad request does not fail the others."""
        try:
            return self._search(shared, batch)
        except AdiError as error:
            if len(batch) == 1:
                return [error]
            return [result for request in batch for result in self._answer_batch(shared, [request])]

    def _search(self, shared: Request, batch: Sequence["_Parsed"]) -> list[TopK]:
        """Answer a batch of n requests that share the arguments of `Request.batch_key`."""
        domain = self.domain_number(shared.domain)
        corpus, queries = self.engine.items(domain), self._queries(shared, batch)
        allowed = None
        if shared.filter is not None:
            lap("features")
            allowed = self.filters.allowed(domain, shared.filter)
            lap("filter")
        hits = self.engine.search(
            domain,
            queries,
            shared.k,
            allowed=allowed,
            excluded=[positions_in(corpus, items) for items in _excluded_items(batch, queries.histories)],
            bid_weight=shared.bid_weight,
        )
        lap("index")
        ids = self.dataset.items.keys_of(corpus[np.concatenate([top.positions for top in hits])])
        results, begin = [], 0
        for top, request in zip(hits, batch, strict=True):
            end = begin + len(top.positions)
            parts = None if top.parts is None else {name: tuple(part.tolist()) for name, part in top.parts.items()}
            scores = tuple(top.scores.tolist())
            results.append(TopK(shared.domain, tuple(ids[begin:end]), scores, request.ignored, parts))
            begin = end
        lap("output")
        return results

    def _queries(self, shared: Request, batch: Sequence["_Parsed"]) -> Queries:
        """Return a batch of n requests in one domain as queries at the end of the log."""
        clicks = self.dataset.clicks("frozen")
        return Queries(
            np.asarray([request.user for request in batch]),
            np.full(len(batch), self.domain_number(shared.domain)),
            self._histories(batch),
            {name: np.concatenate([request.context[name] for request in batch]) for name in batch[0].context},
            None if clicks is None else np.full(len(batch), clicks.end),
            clicks,
        )

    def _histories(self, batch: Sequence["_Parsed"]) -> Histories:
        """Return each user's history: that of the log, unless the request replaces it, then the request's events."""
        logged = self.dataset.histories(np.asarray([request.user if request.keeps_logged else -1 for request in batch]))
        lengths = [len(request.items) for request in batch]
        if not any(lengths):
            return logged
        events = Histories(
            np.asarray([item for request in batch for item in request.items]),
            np.asarray([domain for request in batch for domain in request.domains]),
            np.cumsum([0, *lengths]),
        )
        return logged.then(events)


@dataclass(frozen=True)
class _Parsed:
    """A request in numbers.

    `user` is -1 if unknown, `context` has a code (1,) for each context feature. `items` and their `domains` are the
    request's events, which continue the logged history if `keeps_logged`, else replace it.
    """

    user: int
    context: Mapping[str, Array]
    keeps_logged: bool
    items: list[int]
    domains: list[int]
    excluded: Array
    exclude_seen: bool
    ignored: tuple[str, ...]


def positions_in(corpus: Array, items: Array) -> Array:
    """Return the positions, ascending and distinct, of those `items` (n,) that are in an ascending `corpus` (m,)."""
    if not len(items):
        return np.empty(0, dtype=np.int64)
    items = items.astype(corpus.dtype)  # else the search would convert the whole corpus to the other type
    positions = np.searchsorted(corpus, items)
    inside = positions < len(corpus)
    positions, items = positions[inside], items[inside]
    return np.unique(positions[corpus[positions] == items])


def _excluded_items(batch: Sequence[_Parsed], histories: Histories) -> list[Array]:
    """Return the numbers of the items that each request leaves out."""
    cuts = histories.offsets
    return [
        np.append(request.excluded, histories.items[cuts[row] : cuts[row + 1]])
        if request.exclude_seen
        else request.excluded
        for row, request in enumerate(batch)
    ]


def _checked_ids(ids: Sequence[str], name: str) -> Sequence[str]:
    if isinstance(ids, str):
        raise AdiError(f"{name}: '{ids}' is a single string; give a list of item ids.")
    return ids
