"""What answers requests: the live bundle, which a new one may replace between two, or the bundles of an experiment."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import permutations
from pathlib import Path
from typing import Any

from adi.bundle.manifest import read_bundle_info
from adi.errors import AdiError, suggestion
from adi.retrieval.request import Request, TopK
from adi.retrieval.retriever import Retriever
from adi.serving.experiment import Experiment, assignment_of
from adi.serving.exposures import ExposureLog, exposures_of
from adi.serving.lookups import attribute_names, context_features
from adi.serving.messages import ARM_HEADER, Ask, Body, Events, ProblemError
from adi.serving.metrics import Metrics
from adi.serving.recent import Event, Recent, SqliteRecent, StoreError
from adi.timing import lap, stopwatch

Fault = ProblemError | AdiError
"""Why a request is not answered: an error of its own, or what the retriever says."""


@dataclass(frozen=True)
class Live:
    """A bundle at work; requests that have begun keep the one that they began with."""

    path: Path
    created: str
    retriever: Retriever
    arm: str | None = None

    @property
    def version(self) -> str:
        return self.retriever.engine.version

    @property
    def domains(self) -> tuple[str, ...]:
        return self.retriever.dataset.domains

    @cached_property
    def context(self) -> set[str]:
        """The names of the context features."""
        return {feature["name"] for feature in self.about["context"]}

    @cached_property
    def about(self) -> dict[str, Any]:
        """What it is, in words and numbers."""
        return {
            "version": self.version,
            "arm": self.arm,
            "domains": list(self.domains),
            **self.retriever.engine.about(),
            "context": context_features(self.retriever.dataset),
            "attributes": attribute_names(self.retriever.dataset),
        }


class Service:
    """Answers requests with the live bundle, or with that of the user's arm. Several threads may ask at once.

    Args:
        source: a bundle, or an experiment between several, which are to have the same domains.
        exposures: where to log what is served; nowhere if None.
    """

    def __init__(
        self,
        source: Path | Experiment,
        metrics: Metrics,
        recent: Recent | None = None,
        exposures: ExposureLog | None = None,
    ) -> None:
        self.metrics, self.recent, self.exposures = metrics, recent or SqliteRecent(), exposures
        self.experiment = source if isinstance(source, Experiment) else None
        self.lives: Mapping[str | None, Live] = (
            self._opened_arms(source) if isinstance(source, Experiment) else {None: self._opened(source, verify=False)}
        )
        """The live bundle of each arm; without an experiment one, of no arm."""
        self.context = set() if self.experiment is None else set().union(*(own.context for own in self.lives.values()))
        """The context features of all arms."""
        metrics.live({arm: live.version for arm, live in self.lives.items()})

    @property
    def live(self) -> Live:
        """The bundle that answers what is asked for nobody: the control's in an experiment."""
        return self.live_in(None)

    @property
    def arms(self) -> list[str] | None:
        """The names of all arms; None without an experiment."""
        return None if self.experiment is None else list(self.experiment.arms)

    def live_in(self, named: str | None) -> Live:
        """The bundle of a named arm, or `live`; raises `ProblemError` for the name of no arm."""
        return self.lives[self.arm_of(None, named)]

    def swap(self, path: Path, *, verify: bool = True) -> None:
        """Open and warm another bundle, then let it answer from the next request on; not for an experiment.

        With `verify` every byte of it is compared with its manifest. Raises `AdiError` for a bundle that is not whole
        or cannot answer, and for one that lacks a domain of the live one; the live one then stays.
        """
        live = self._opened(path, verify=verify)
        if gone := [name for name in self.live.domains if name not in live.domains]:
            raise AdiError(
                f"{path}: lacks domain '{gone[0]}', which is being served. Start a server of its own for it."
            )
        self.lives = {None: live}
        self.metrics.live({None: live.version})

    def arm_of(self, user: str | None, named: str | None = None) -> str | None:
        """The arm that answers: the `named` one, else the user's, for nobody the control; None without an experiment.

        Raises `ProblemError` for the name of no arm.
        """
        if named is not None and named not in self.lives:
            if self.experiment is None:
                fault = "is no arm, for no experiment is served. Leave the header out."
            else:
                arms = self.experiment.arms
                fault = f"is not one of the arms {', '.join(arms)}.{suggestion(named, arms)}"
            raise ProblemError(422, "No such arm", f"{ARM_HEADER}: '{named}' {fault}")
        if named is not None or self.experiment is None:
            return named
        return self.experiment.control if user is None else self.experiment.arm_of(user)

    def answer(self, bodies: Sequence[Body]) -> list[dict[str, Any] | ProblemError]:
        """The answers to bodies, as `adi.serving.messages.Retrieved` describes them, or why there is none.

        That is a request that cannot be answered, by its place among several, or the name of no arm. All that one arm
        answers is from one bundle.
        """
        lives, of_arm = self.lives, dict[str | None, list[tuple[int, int]]]()
        results: list[list[dict[str, Any] | Fault]] = [[{}] * len(body.asks) for body in bodies]
        for number, body in enumerate(bodies):
            for place, ask in enumerate(body.asks):
                try:
                    of_arm.setdefault(self.arm_of(ask.user, body.named), []).append((number, place))
                except ProblemError as error:
                    results[number][place] = error
        for arm, own in of_arm.items():
            found = self._of_arm(lives[arm], [bodies[number].asks[place] for number, place in own])
            for (number, place), result in zip(own, found, strict=True):
                results[number][place] = result
        return [_whole(own) for own in results]

    def served(self, body: Body, answer: Mapping[str, Any]) -> None:
        """Count and log an answer that is about to be sent: one that was given up is no exposure."""
        results = answer["results"]
        if self.experiment is not None:
            for ask, result in zip(body.asks, results, strict=True):
                self.metrics.answered_by(result["arm"], assignment_of(ask.user, body.named))
        if self.exposures is not None:
            self.exposures.add(exposures_of(body, results, self.experiment))

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

    def recent_of(self, live: Live, users: Sequence[str]) -> list[list[Event] | ProblemError | None]:
        """The events of each user since the export.

        Where the store does not answer, None, which the answer has to say; or, where that leaves nothing, for a user
        that the bundle does not know, the problem.
        """
        if not users:
            return []
        try:
            return list(self.recent.of(users))
        except StoreError:
            self.metrics.no_store("read")
            return [
                _no_store(f"User '{user}' is not in the bundle, and may have some. Ask again.")
                if live.retriever.dataset.users.find(user) is None
                else None
                for user in users
            ]
        finally:
            lap("events")

    def _of_arm(self, live: Live, asks: Sequence[Ask]) -> list[dict[str, Any] | Fault]:
        """The results of requests that a bundle answers, domain by domain; or the fault of each."""
        users = {number: ask.user for number, ask in enumerate(asks) if ask.user is not None and ask.history is None}
        found = dict(zip(users, self.recent_of(live, list(users.values())), strict=True))
        faults: dict[int, Fault] = {n: own for n, own in found.items() if isinstance(own, ProblemError)}
        recent = {n: own for n, own in found.items() if not isinstance(own, ProblemError)}
        tops: list[dict[str, TopK]] = [{} for _ in asks]
        wanted = [ask.domains or live.domains for ask in asks]
        for domain in dict.fromkeys(name for names in wanted for name in names):
            numbers = [n for n, names in enumerate(wanted) if domain in names and n not in faults]
            if not numbers:
                continue
            with stopwatch() as watch:
                answers = live.retriever.answer(
                    [self._request(live, domain, asks[n], recent.get(n) or ()) for n in numbers]
                )
            for number, top in zip(numbers, answers, strict=True):
                if isinstance(top, AdiError):
                    faults[number] = top
                    continue
                tops[number][domain] = top
                self.metrics.retrieved(live.arm, domain, {name: s / len(answers) for name, s in watch.seconds.items()})
        return [
            faults.get(number)
            or {
                "version": live.version,
                "arm": live.arm,
                "domains": {name: {"items": own[name].ids, "scores": own[name].scores} for name in names},
                "ignored": list(dict.fromkeys(item for name in names for item in own[name].ignored)),
                "without_events": recent.get(number, ()) is None,
            }
            for number, (own, names) in enumerate(zip(tops, wanted, strict=True))
        ]

    def _request(self, live: Live, domain: str, ask: Ask, recent: Sequence[Event]) -> Request:
        """A request in a domain, and what came since for its user."""
        context: Mapping[str, str] = ask.context
        if context and self.experiment is not None:
            # A client cannot tell which arm will answer: what another one asks for is no fault, and left out.
            elsewhere = self.context - live.context
            context = {name: value for name, value in context.items() if name not in elsewhere}
        return Request(
            domain,
            user=ask.user,
            history=ask.history,
            recent=recent,
            context=context,
            k=ask.k,
            exclude=ask.exclude,
            exclude_seen=ask.exclude_seen,
            filter=ask.filter,
            bid_weight=ask.bid_weight,
        )

    @staticmethod
    def _opened(path: Path, *, verify: bool, arm: str | None = None) -> Live:
        """A bundle that has answered once in each domain, so that its files are mapped and its code has run."""
        info = read_bundle_info(path, verify=verify)
        live = Live(path, info.created, Retriever(path), arm)
        for domain in live.domains:
            live.retriever.retrieve(domain, history=[], k=1)
        _ = live.about  # read now, not in a request
        return live

    @classmethod
    def _opened_arms(cls, experiment: Experiment) -> dict[str | None, Live]:
        """The bundles of all arms; raises `AdiError` for one that cannot answer, or that lacks a domain of another."""
        where, lives = f"experiment {experiment.name}, arm", dict[str | None, Live]()
        for name, arm in experiment.arms.items():
            try:
                lives[name] = cls._opened(arm.bundle, verify=False, arm=name)
            except AdiError as error:
                raise AdiError(f"{where} '{name}': {error}") from None
        for live, other in permutations(lives.values(), 2):
            if lacking := [domain for domain in other.domains if domain not in live.domains]:
                raise AdiError(
                    f"{where} '{live.arm}': {live.path} lacks domain '{lacking[0]}', which arm '{other.arm}' has. "
                    "Every arm has to answer every request: give bundles of the same domains."
                )
        return lives


def _whole(results: Sequence[dict[str, Any] | Fault]) -> dict[str, Any] | ProblemError:
    """The answer to a body, or the fault of its first request that has one."""
    for number, result in enumerate(results):
        if isinstance(result, ProblemError):
            return result
        if isinstance(result, AdiError):
            place = f"requests.{number}: " if len(results) > 1 else ""
            return ProblemError(422, "Cannot be answered", f"{place}{result}")
    return {"results": results}


def _no_store(remedy: str) -> ProblemError:
    detail = f"The store of users' events does not answer. {remedy}"
    return ProblemError(503, "No events", detail, headers={"Retry-After": "2"})
