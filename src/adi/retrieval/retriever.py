"""Top-K of a user in a domain, from a run or a bundle: the Python side of `adi retrieve`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from adi.data.arrays import Array
from adi.data.bids import check_weight
from adi.data.dataset import Histories, Queries
from adi.errors import AdiError, suggestion
from adi.features.reader import context_codes
from adi.retrieval.engine import Admitted, Engine, places
from adi.retrieval.filter_cache import Admission
from adi.retrieval.request import Request, TopK
from adi.timing import lap


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
        """The `k` best items of the domain's corpus for a user, by what `Request` says of each argument.

        Raises `AdiError` for an unknown domain or context feature, a context value that is no number where the feature
        is one, k below 1, an unknown user without a history, a filter that is none or asks for attributes that are not
        there, a bid weight where there are no bids or that is out of range, and scores that are not finite.
        """
        asked = Request(
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
        (top,) = self.answer([asked])
        if isinstance(top, AdiError):
            raise top
        return top

    def answer(self, requests: Sequence[Request]) -> list[TopK | AdiError]:
        """The answers to requests, in order; to one that cannot be answered, what `retrieve` raises.

        Those alike but for the user are searched for together, which takes less.
        """
        answers: dict[int, TopK | AdiError] = {}
        read: dict[int, _Read] = {}
        alike: dict[object, list[int]] = {}
        for number, request in enumerate(requests):
            try:
                read[number] = self._read(request)
            except AdiError as error:
                answers[number] = error
            else:
                alike.setdefault(request.kind, []).append(number)
        for numbers in alike.values():
            found = self._found(requests[numbers[0]], [read[number] for number in numbers])
            answers |= zip(numbers, found, strict=True)
        return [answers[number] for number in range(len(requests))]

    def domain(self, name: str) -> int:
        """The number of a domain; raises `AdiError` for one that is not there, with the nearest that is."""
        domains = self.dataset.domains
        if name not in domains:
            raise AdiError(f"domain '{name}' is not one of {', '.join(domains)}.{suggestion(name, domains)}")
        return domains.index(name)

    def _read(self, request: Request) -> "_Read":
        """A request, checked, in numbers."""
        if request.k < 1:
            raise AdiError(f"k = {request.k}: ask for at least one item.")
        check_weight(request.bid_weight)
        domain, user = self.domain(request.domain), request.user
        number = None if user is None else self.dataset.users.find(user)
        if number is None and request.history is None and not request.recent:
            who = "no user" if user is None else f"user '{user}' is not known"
            raise AdiError(f"{who}: give the history of a new user.")
        given = [(item, domain) for item in _ids(request.history or (), "history")]
        given += [(item, self.domain(name)) for item, name in request.recent if name in self.dataset.domains]
        later, strange = self._find([item for item, _ in given])
        excluded, unknown = self._find(_ids(request.exclude, "exclude"))
        seen = request.exclude_seen
        return _Read(
            user=-1 if number is None else number,
            context=context_codes(self.dataset, request.context),
            past=request.history is None,
            items=[item for item in later if item is not None],
            domains=[own for (_, own), item in zip(given, later, strict=True) if item is not None],
            excluded=np.asarray([item for item in excluded if item is not None], dtype=np.int64),
            without_seen=not self.dataset.manifest.repeats if seen is None else seen,
            ignored=(*strange, *unknown),
        )

    def _find(self, keys: Sequence[str]) -> tuple[list[int | None], list[str]]:
        """The numbers of items, None for those that the data does not know; and the latter."""
        numbers = [self.dataset.items.find(key) for key in keys]
        return numbers, [key for key, number in zip(keys, numbers, strict=True) if number is None]

    def _found(self, alike: Request, read: Sequence["_Read"]) -> Sequence[TopK | AdiError]:
        """As `_together`; where that fails, each alone: the fault of one is none of those beside it."""
        try:
            return self._together(alike, read)
        except AdiError as error:
            if len(read) == 1:
                return [error]
            return [one for own in read for one in self._found(alike, [own])]

    def _together(self, alike: Request, read: Sequence["_Read"]) -> list[TopK]:
        """The answers to requests that are alike but for what was read of each."""
        domain = self.domain(alike.domain)
        corpus = self.engine.items(domain)
        queries = Queries(
            np.asarray([own.user for own in read]),
            np.full(len(read), domain),
            self._histories(read),
            {name: np.concatenate([own.context[name] for own in read]) for name in read[0].context},
        )
        admitted: Admitted | None = None
        if alike.filter is not None:
            lap("features")
            admitted = self.admission.admitted(domain, alike.filter)
            lap("filter")
        found = self.engine.search(
            domain,
            queries,
            alike.k,
            admitted=admitted,
            excluded=[places(corpus, out) for out in _left_out(read, queries.histories)],
            bid_weight=alike.bid_weight,
        )
        lap("index")
        ids = self.dataset.items.keys_of(corpus[np.concatenate([own.positions for own in found])])
        answers, begin = [], 0
        for best, own in zip(found, read, strict=True):
            end = begin + len(best.positions)
            answers.append(TopK(alike.domain, tuple(ids[begin:end]), tuple(best.scores.tolist()), own.ignored))
            begin = end
        lap("output")
        return answers

    def _histories(self, read: Sequence["_Read"]) -> Histories:
        """What each user did: what the log has, unless a history replaces it, and then what was given."""
        logged = self.dataset.histories(np.asarray([own.user if own.past else -1 for own in read]))
        lengths = [len(own.items) for own in read]
        if not any(lengths):
            return logged
        later = Histories(
            np.asarray([item for own in read for item in own.items]),
            np.asarray([domain for own in read for domain in own.domains]),
            np.cumsum([0, *lengths]),
        )
        return logged.then(later)


@dataclass(frozen=True)
class _Read:
    """A request in numbers: a user (-1: unknown), a code (1,) of each context feature, items and the domains they were
    taken in, after the user's `past` in the log or in its place, and the items to leave out."""

    user: int
    context: Mapping[str, Array]
    past: bool
    items: list[int]
    domains: list[int]
    excluded: Array
    without_seen: bool
    ignored: tuple[str, ...]


def _left_out(read: Sequence[_Read], histories: Histories) -> list[Array]:
    """The items that each request must not find."""
    cuts = histories.offsets
    return [
        np.append(own.excluded, histories.items[cuts[n] : cuts[n + 1]]) if own.without_seen else own.excluded
        for n, own in enumerate(read)
    ]


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
