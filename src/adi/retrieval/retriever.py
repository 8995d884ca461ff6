"""Top-K of a user in a domain, from a run or a bundle: the Python side of `adi retrieve`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from adi.data.arrays import Array
from adi.data.bids import check_weight
from adi.data.context import context_codes
from adi.data.dataset import Histories, Queries
from adi.errors import AdiError, suggestion
from adi.retrieval.admission import Admission
from adi.retrieval.engine import Admitted, Engine, places
from adi.retrieval.stages import lap


@dataclass(frozen=True)
class Retrieved:
    """One item of a top-K; scores compare items of the same request only."""

    item: str
    score: float


@dataclass(frozen=True)
class TopK:
    """The answer to a request: item `ids` and their `scores`, best first; `ignored` are given items that the data does
    not know."""

    domain: str
    ids: tuple[str, ...]
    scores: tuple[float, ...]
    ignored: tuple[str, ...] = ()

    @property
    def items(self) -> tuple[Retrieved, ...]:
        return tuple(map(Retrieved, self.ids, self.scores))


@dataclass(frozen=True)
class Request:
    """One request of a domain, as `Retriever.read` has read it."""

    domain: int
    k: int
    filter: str | None
    bid_weight: float
    queries: Queries
    admitted: Admitted | None
    excluded: Array
    ignored: tuple[str, ...]

    @property
    def kind(self) -> tuple[object, ...]:
        """What requests have in common that one search can answer."""
        return self.domain, self.k, self.filter, self.bid_weight


class RequestError(AdiError):
    """One of several requests cannot be answered: the one with this `number`, from 0."""

    def __init__(self, number: int, message: str) -> None:
        super().__init__(message)
        self.number = number


class Retriever:
    """Opens a run or a bundle and answers requests over the whole corpus of the domain.

    A run answers exactly, with any model; a bundle (`adi export`) in milliseconds from millions of items.

    retriever = Retriever(Path("bundle"))
    retriever.retrieve("search", user="u17", k=10)
    retriever.retrieve("feed", history=["i3", "i99"], k=10)    # a user never seen

    `bid` names the attribute with the items' bids, of a run; a bundle knows since its export.
    """

    def __init__(self, path: Path, *, bid: str | None = None) -> None:
        self.engine: Engine = open_engine(path, bid=bid)
        self.dataset = self.engine.dataset
        self.admission = Admission(self.engine)

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
        """The `k` best items of the domain's corpus for a user.

        A known user brings features and history from the prepared dataset; `history` (oldest first, taken as behaviours
        in `domain`) replaces the latter, or describes a user who is not known. `recent` is what came after the history,
        as (item, domain), oldest first. `exclude_seen` leaves the items of the
        history out; by default that is done unless the data has repeats. `exclude` are items to leave out, too.
        `filter` is a condition on the items' attributes in the domain (docs/filters.md), as in "category = 'toys' and
        bid > 1". `context` has the values of context features, as text; those not given are missing. With a
        `bid_weight` above 0 the items are the best by score + weight · log bid in the domain, and that is their score.

        Raises `AdiError` for an unknown domain or context feature, a context value that is no number where the feature
        is one, k below 1, an unknown user without a history, a filter that is none or asks for attributes that are not
        there, a bid weight where there are no bids or that is out of range, and scores that are not finite.
        """
        request = self.read(
            domain,
            user=user,
            history=history,
            recent=recent,
            context=context,
            k=k,
            exclude_seen=exclude_seen,
            exclude=exclude,
            filter=filter,
            bid_weight=bid_weight,
        )
        return self.answer([request])[0]

    def read(
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
        filter: str | None = None,  # noqa: A002 - as in `retrieve`
        bid_weight: float = 0.0,
    ) -> Request:
        """What `retrieve` is asked, checked and looked up, for `answer`; raises `AdiError` as it does."""
        if k < 1:
            raise AdiError(f"k = {k}: ask for at least one item.")
        check_weight(bid_weight)
        index = self.domain(domain)
        queries, ignored = self._queries(index, user, history, recent, context or {})
        left_out, unknown = self._numbers(exclude, "exclude")
        if exclude_seen or (exclude_seen is None and not self.dataset.manifest.repeats):
            left_out = np.union1d(left_out, queries.histories.items)
        admitted = None
        if filter is not None:
            lap("features")
            admitted = self.admission.admitted(index, filter)
            lap("filter")
        out = places(self.engine.items(index), left_out)
        return Request(index, k, filter, bid_weight, queries, admitted, out, (*ignored, *unknown))

    def answer(self, requests: Sequence[Request]) -> list[TopK]:
        """The answers to requests, in order. Those alike but for the user are searched for together, which takes less.

        Raises `RequestError` where one cannot be answered.
        """
        alike: dict[object, list[int]] = {}
        for number, request in enumerate(requests):
            alike.setdefault(request.kind, []).append(number)
        answers: dict[int, TopK] = {}
        for numbers in alike.values():
            try:
                answers |= zip(numbers, self._together([requests[number] for number in numbers]), strict=True)
            except AdiError as error:
                raise RequestError(numbers[0], str(error)) from None
        return [answers[number] for number in range(len(requests))]

    def _together(self, requests: Sequence[Request]) -> list[TopK]:
        """The answers to requests of one kind."""
        first, corpus = requests[0], self.engine.items(requests[0].domain)
        found = self.engine.search(
            first.domain,
            Queries.together([request.queries for request in requests]),
            first.k,
            admitted=first.admitted,
            excluded=[request.excluded for request in requests],
            bid_weight=first.bid_weight,
        )
        lap("index")
        ids = self.dataset.items.keys_of(corpus[np.concatenate([own.positions for own in found])])
        name, answers, begin = self.dataset.domains[first.domain], [], 0
        for own, request in zip(found, requests, strict=True):
            end = begin + len(own.positions)
            answers.append(TopK(name, tuple(ids[begin:end]), tuple(own.scores.tolist()), request.ignored))
            begin = end
        lap("output")
        return answers

    def domain(self, name: str) -> int:
        """The number of a domain; raises `AdiError` for one that is not there, with the nearest that is."""
        domains = self.dataset.domains
        if name not in domains:
            raise AdiError(f"domain '{name}' is not one of {', '.join(domains)}.{suggestion(name, domains)}")
        return domains.index(name)

    def _numbers(self, keys: Sequence[str], name: str) -> tuple[Array, tuple[str, ...]]:
        """The numbers of the items that the data knows, in the order given, and those that it does not know."""
        found = [self.dataset.items.find(key) for key in _ids(keys, name)]
        numbers = np.asarray([number for number in found if number is not None], dtype=np.int64)
        return numbers, tuple(key for key, number in zip(keys, found, strict=True) if number is None)

    def _queries(
        self,
        domain: int,
        user: str | None,
        history: Sequence[str] | None,
        recent: Sequence[tuple[str, str]],
        context: Mapping[str, str],
    ) -> tuple[Queries, tuple[str, ...]]:
        number = None if user is None else self.dataset.users.find(user)
        if number is None and history is None and not recent:
            who = "no user" if user is None else f"user '{user}' is not known"
            raise AdiError(f"{who}: give the history of a new user.")
        users = np.asarray([-1 if number is None else number])
        queries = self.dataset.latest(users, np.asarray([domain]), context_codes(self.dataset, context))
        given = [(item, domain) for item in _ids(history or (), "history")]
        given += [(item, self.dataset.domains.index(name)) for item, name in recent if name in self.dataset.domains]
        numbers = [self.dataset.items.find(item) for item, _ in given]
        later = Histories(
            np.asarray([number for number in numbers if number is not None], dtype=np.int64),
            np.asarray(
                [own for (_, own), number in zip(given, numbers, strict=True) if number is not None], dtype=np.int64
            ),
            np.asarray([0, len(numbers) - numbers.count(None)]),
        )
        histories = later if history is not None else queries.histories.then(later)
        unknown = tuple(item for (item, _), number in zip(given, numbers, strict=True) if number is None)
        return replace(queries, histories=histories), unknown


def _ids(keys: Sequence[str], name: str) -> Sequence[str]:
    if isinstance(keys, str):
        raise AdiError(f"{name}: '{keys}' is one text; give a list of item ids.")
    return keys


def open_engine(path: Path, *, bid: str | None = None) -> Engine:
    """The engine of a run's or a bundle's folder; raises `AdiError` as opening either does.

    Each needs packages that the other does without: a server of bundles starts sooner, and smaller, without torch.
    """
    if (path / "bundle.json").exists():
        if bid is not None:
            raise AdiError(f"{path}: a bundle has the bids that it was exported with. Leave --bid {bid} out.")
        from adi.bundle.engine import BundleEngine

        return BundleEngine(path)
    from adi.retrieval.run_engine import RunEngine

    return RunEngine(path, bid=bid)
