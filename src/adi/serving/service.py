"""What answers requests: the bundle that is live, which a new one may replace between two of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from adi.bundle.manifest import read_bundle_info
from adi.errors import AdiError, suggestion
from adi.retrieval.retriever import Retriever
from adi.retrieval.stages import lap, stopwatch
from adi.serving.lookups import attribute_names, context_features
from adi.serving.messages import Ask, Events, ProblemError
from adi.serving.metrics import Metrics
from adi.serving.recent import Event, Recent, SqliteRecent, StoreError


@dataclass(frozen=True)
class Live:
    """A bundle at work; requests that have begun keep the one that they began with."""

    path: Path
    created: str
    retriever: Retriever

    @property
    def version(self) -> str:
        return self.retriever.engine.version

    @property
    def domains(self) -> tuple[str, ...]:
        return self.retriever.dataset.domains

    @cached_property
    def about(self) -> dict[str, Any]:
        """What it is, in words and numbers."""
        return {
            "version": self.version,
            "domains": list(self.domains),
            **self.retriever.engine.about(),
            "context": context_features(self.retriever.dataset),
            "attributes": attribute_names(self.retriever.dataset),
        }


class Service:
    """Answers requests with the live bundle. Several threads may ask at once."""

    def __init__(self, path: Path, metrics: Metrics, recent: Recent | None = None) -> None:
        self.metrics, self.recent = metrics, recent or SqliteRecent()
        self.live = self._opened(path, verify=False)
        metrics.live(self.live.version)

    def swap(self, path: Path, *, verify: bool = True) -> None:
        """Open and warm another bundle, then let it answer from the next request on.

        With `verify` every byte of it is compared with its manifest. Raises `AdiError` for a bundle that is not whole
        or cannot answer, and for one that lacks a domain of the live one; the live one then stays.
        """
        live = self._opened(path, verify=verify)
        if gone := [name for name in self.live.domains if name not in live.domains]:
            raise AdiError(
                f"{path}: lacks domain '{gone[0]}', which is being served. Start a server of its own for it."
            )
        self.live = live
        self.metrics.live(live.version)

    def answer(self, asks: Sequence[Ask]) -> dict[str, Any]:
        """The answers to requests, all from one bundle, as `adi.serving.messages.Retrieved` describes them.

        Raises `ProblemError` for a request that cannot be answered, by its place among several.
        """
        live = self.live
        results = []
        for number, ask in enumerate(asks):
            try:
                results.append(self._one(live, ask))
            except AdiError as error:
                place = f"requests.{number}: " if len(asks) > 1 else ""
                raise ProblemError(422, "Cannot be answered", f"{place}{error}") from None
        return {"version": live.version, "results": results}

    def add(self, events: Events) -> None:
        """Take what a user did into account from the next request on.

        Raises `ProblemError` for a domain that the live bundle does not have; items may be newer than it. Also where
        the store does not answer: they may have been kept all the same, if it was lost while they were on their way.
        """
        known = self.live.domains
        for number, event in enumerate(events.events):
            if event.domain not in known:
                detail = f"events.{number}.domain: '{event.domain}' is not one of {', '.join(known)}."
                raise ProblemError(422, "Not an event", detail + suggestion(event.domain, known))
        try:
            self.recent.add(events.user, [(event.item, event.domain) for event in events.events])
        except StoreError:
            self.metrics.no_store("add")
            raise _no_store("Send the events again.") from None
        finally:
            lap("events")

    def recent_of(self, live: Live, user: str) -> list[Event] | None:
        """A user's events since the export; None where the store does not answer, which the answer has to say.

        Raises `ProblemError` where that leaves nothing: for a user that the bundle does not know.
        """
        try:
            return self.recent.of(user)
        except StoreError:
            self.metrics.no_store("read")
            if live.retriever.dataset.users.find(user) is None:
                raise _no_store(f"User '{user}' is not in the bundle, and may have some. Ask again.") from None
            return None
        finally:
            lap("events")

    def _one(self, live: Live, ask: Ask) -> dict[str, Any]:
        domains: dict[str, Any] = {}
        ignored: dict[str, None] = {}
        recent = self.recent_of(live, ask.user) if ask.user is not None and ask.history is None else []
        for domain in ask.domains or live.domains:
            with stopwatch() as watch:
                found = live.retriever.retrieve(
                    domain,
                    user=ask.user,
                    history=ask.history,
                    recent=recent or (),
                    context=ask.context,
                    k=ask.k,
                    exclude=ask.exclude,
                    exclude_seen=ask.exclude_seen,
                    filter=ask.filter,
                    bid_weight=ask.bid_weight,
                )
            self.metrics.retrieved(domain, watch.seconds)
            domains[domain] = {"items": found.ids, "scores": found.scores}
            ignored |= dict.fromkeys(found.ignored)
        return {"domains": domains, "ignored": list(ignored), "without_events": recent is None}

    @staticmethod
    def _opened(path: Path, *, verify: bool) -> Live:
        """A bundle that has answered once in each domain, so that its files are mapped and its code has run."""
        info = read_bundle_info(path, verify=verify)
        live = Live(path, info.created, Retriever(path))
        for domain in live.domains:
            live.retriever.retrieve(domain, history=[], k=1)
        _ = live.about  # read now, not in a request
        return live


def _no_store(remedy: str) -> ProblemError:
    detail = f"The store of users' events does not answer. {remedy}"
    return ProblemError(503, "No events", detail, headers={"Retry-After": "2"})
