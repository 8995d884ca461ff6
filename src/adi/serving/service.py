"""The service behind the routes: answers from the live bundle, or from several bundles in an experiment."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC
from itertools import chain
from pathlib import Path
from typing import Any

from adi.bundle.portion import WHOLE, Portion
from adi.bundle.trends import Trends
from adi.data.dataset import Dataset
from adi.errors import AdiError, suggestion
from adi.features.reader import context_codes
from adi.retrieval.request import Request, TopK
from adi.schema import load_schema
from adi.serving.click_feed import ClickFeed, ClickSource, Clock, StoreClicks
from adi.serving.click_files import ClickFiles
from adi.serving.events import Clicked, Context, Event, EventStore, EventStoreError, SqliteEventStore
from adi.serving.experiment import Experiment, assignment_of
from adi.serving.exposures import ExposureLog, exposures_of
from adi.serving.live import LiveBundle, open_arms, open_bundle
from adi.serving.metrics import Metrics
from adi.serving.problems import CANNOT_ANSWER, INVALID_EVENT, NO_EVENT_STORE, UNKNOWN_ARM, ProblemError
from adi.serving.requests import ARM_HEADER, EventsRequest, RetrieveCall, RetrieveRequest, UserEvent
from adi.timing import lap, stopwatch

Result = dict[str, Any] | ProblemError | AdiError
"""The content of a `RetrieveResult`, or the error of a request that cannot be answered."""


class Service:
    """Answers requests from the live bundle, or in an experiment from the bundle of the user's arm.

    All methods are safe to call from several threads. A request is answered by the bundle that was live when its batch
    began.

    Args:
        source: a bundle, or an experiment between bundles with the same domains.
        events: the store of users' events since the export; in memory by default.
        exposures: the log of served lists, if any.
        portion: the domains and the shard of the items that are served.
        clicks: a folder of Parquet files with clicks for the counters of bundles with trends.
        clock: the time now in the unit of the log, for these counters; by default `adi.serving.click_feed.clock_of`.
        verify: compare every file of the bundles with its digest, and not only with its size.
        report: called with messages about these counters.
    """

    def __init__(
        self,
        source: Path | Experiment,
        metrics: Metrics,
        events: EventStore | None = None,
        exposures: ExposureLog | None = None,
        *,
        portion: Portion = WHOLE,
        clicks: Path | None = None,
        clock: Clock | None = None,
        verify: bool = False,
        report: Callable[[str], None] = lambda message: None,
    ) -> None:
        self._clicks, self._clock, self.report, self.portion = clicks, clock, report, portion
        self.metrics, self.events, self.exposures = metrics, events or SqliteEventStore(), exposures
        self.experiment = source if isinstance(source, Experiment) else None
        self.bundles: Mapping[str | None, LiveBundle] = (
            open_arms(source, self._feed_of, portion, verify=verify)
            if isinstance(source, Experiment)
            else {None: open_bundle(source, verify=verify, feed_of=self._feed_of, portion=portion)}
        )
        """The bundle of each arm; without an experiment one, under None."""
        self.watch_state: str | None = None
        """``watching`` or the failure of the last look at a watched folder; None where none is watched."""
        metrics.set_live({arm: bundle.version for arm, bundle in self.bundles.items()})

    @property
    def arms(self) -> list[str] | None:
        """Names of the arms; None without an experiment."""
        return None if self.experiment is None else list(self.experiment.arms)

    @property
    def num_domains(self) -> int:
        """The domains that are served; all arms have the same."""
        return len(self.bundle().domains)

    @property
    def picture_sources(self) -> set[str]:
        """The hosts of the pictures of items, of all live bundles."""
        displays = (bundle.retriever.dataset.manifest.display for bundle in self.bundles.values())
        return {source for display in displays if display is not None for source in display.image_sources}

    def bundle(self, arm: str | None = None) -> LiveBundle:
        """The live bundle of an arm, by default of the control; raises `ProblemError` for an unknown arm."""
        return self.bundles[self.arm_of(None, arm)]

    def swap(self, path: Path, *, verify: bool = True) -> None:
        """Open another bundle and make it live from the next batch on; not for an experiment.

        Raises `AdiError`, and the live bundle stays, for a bundle that is incomplete (with `verify` in any byte), that
        cannot answer or that lacks a domain of the live one.
        """
        bundle = open_bundle(path, verify=verify, feed_of=self._feed_of, portion=self.portion)
        if missing := [domain for domain in self.bundle().domains if domain not in bundle.domains]:
            raise AdiError(
                f"{path}: lacks domain '{missing[0]}', which is being served. Serve this bundle with another server."
            )
        self.bundles = {None: bundle}
        self.metrics.set_live({None: bundle.version})

    def refresh_trends(self) -> None:
        """Count new clicks in every bundle with trends."""
        for bundle in self.bundles.values():
            if bundle.feed is not None:
                bundle.feed.refresh()

    def _feed_of(self, dataset: Dataset, trends: Trends, arm: str | None) -> ClickFeed:
        """The feed of a bundle's counters."""
        sources: list[ClickSource] = [StoreClicks(self.events)]
        if self._clicks is not None:
            sources.append(ClickFiles(self._clicks, load_schema(dataset.folder), self.report))
        return ClickFeed(dataset, trends, sources, self.metrics, arm, clock=self._clock, report=self.report)

    def arm_of(self, user: str | None, header: str | None = None) -> str | None:
        """The arm that answers: the header's, else the user's, else the control; None without an experiment.

        Raises `ProblemError` for a header that does not name an arm.
        """
        if header is not None and header not in self.bundles:
            if self.arms is None:
                reason = "is not an arm, since no experiment is served. Leave the header out."
            else:
                reason = f"is not one of the arms {', '.join(self.arms)}.{suggestion(header, self.arms)}"
            raise ProblemError(UNKNOWN_ARM, f"{ARM_HEADER}: '{header}' {reason}")
        if header is not None or self.experiment is None:
            return header
        return self.experiment.control if user is None else self.experiment.arm_of(user)

    def answer(self, calls: Sequence[RetrieveCall]) -> list[dict[str, Any] | ProblemError]:
        """Answer calls with the content of a `RetrieveResponse` each, or the problem of its first failed request.

        The requests of one arm are answered as one batch, by one bundle.
        """
        bundles = self.bundles  # kept, since a swap may replace them at any time
        results: list[list[Result]] = [[{}] * len(call.requests) for call in calls]
        positions_of: dict[str | None, list[tuple[int, int]]] = {}
        for row, call in enumerate(calls):
            for column, request in enumerate(call.requests):
                try:
                    positions_of.setdefault(self.arm_of(request.user, call.arm), []).append((row, column))
                except ProblemError as problem:
                    results[row][column] = problem
        for arm, positions in positions_of.items():
            requests = [calls[row].requests[column] for row, column in positions]
            for (row, column), result in zip(positions, self._answer_arm(bundles[arm], requests), strict=True):
                results[row][column] = result
        return [_response(call_results) for call_results in results]

    def record(self, call: RetrieveCall, response: Mapping[str, Any]) -> None:
        """Count a response that is about to be sent, and log its lists as exposures."""
        results = response["results"]
        if self.experiment is not None:
            for request, result in zip(call.requests, results, strict=True):
                self.metrics.arm_requests.labels(result["arm"], assignment_of(request.user, call.arm)).inc()
        if self.exposures is not None:
            self.exposures.add(exposures_of(call, results, self.experiment))

    def add_events(self, request: EventsRequest) -> None:
        """Add events, which count from the next request on.

        Raises `ProblemError` for a domain that the live bundle lacks, for a context as `Retriever.retrieve` does, and
        if the store does not answer; it may have kept the events all the same if it failed while they were on their
        way.
        """
        domains = self.bundle().retriever.dataset.domains  # of any domain, since histories have those of all
        for number, event in enumerate(request.events):
            if event.domain not in domains:
                detail = f"events.{number}.domain: '{event.domain}' is not one of {', '.join(domains)}."
                raise ProblemError(INVALID_EVENT, detail + suggestion(event.domain, domains))
            self._check_context(event.context, number)
        feed, clicked = self.bundle().feed, None
        if feed is not None:
            clicked = [
                Clicked(_time_of(event, number, feed), event.context) for number, event in enumerate(request.events)
            ]
        try:
            self.events.add(request.user, [(event.item, event.domain) for event in request.events], clicked)
        except EventStoreError:
            self.metrics.events_unavailable.labels("add").inc()
            raise _no_store("Send the events again.") from None
        finally:
            lap("events")

    def events_of(self, bundle: LiveBundle, users: Sequence[str]) -> list[list[Event] | ProblemError | None]:
        """The events of each user since the export.

        If the store does not answer: None for users whom the bundle knows, whose answers must say so, and a problem for
        the others, who have no other history.
        """
        if not users:
            return []
        try:
            return list(self.events.of(users))
        except EventStoreError:
            self.metrics.events_unavailable.labels("read").inc()
            return [
                _no_store(f"User '{user}' is not in the bundle, but may have events. Try again.")
                if bundle.retriever.dataset.users.find(user) is None
                else None
                for user in users
            ]
        finally:
            lap("events")

    def _answer_arm(self, bundle: LiveBundle, requests: Sequence[RetrieveRequest]) -> list[Result]:
        """Answer requests from one bundle, with one search for each domain."""
        users = {
            n: request.user
            for n, request in enumerate(requests)
            if request.user is not None and request.history is None
        }
        replies = dict(zip(users, self.events_of(bundle, list(users.values())), strict=True))
        events = {n: reply for n, reply in replies.items() if not isinstance(reply, ProblemError)}
        errors: dict[int, Result] = {n: reply for n, reply in replies.items() if isinstance(reply, ProblemError)}
        tops: list[dict[str, TopK]] = [{} for _ in requests]
        domains_of = [request.domains or bundle.domains for request in requests]
        for domain in dict.fromkeys(chain.from_iterable(domains_of)):
            numbers = [n for n, domains in enumerate(domains_of) if domain in domains and n not in errors]
            if not numbers:
                continue
            queries = [self._query(bundle, domain, requests[n], events.get(n) or ()) for n in numbers]
            with stopwatch() as watch:
                answers = bundle.retriever.answer(queries)
            stages = {stage: seconds / len(answers) for stage, seconds in watch.seconds.items()}
            for number, answer in zip(numbers, answers, strict=True):
                if isinstance(answer, AdiError):
                    errors[number] = answer
                else:
                    tops[number][domain] = answer
                    if bundle.trends is not None and answer.parts is None:
                        self.metrics.lists_without_trends.inc()
                    self.metrics.observe_retrieval(bundle.arm, domain, stages)
        return [
            errors.get(n)
            or _result(bundle, [tops[n][domain] for domain in domains], events.get(n, ()), explain=requests[n].explain)
            for n, domains in enumerate(domains_of)
        ]

    def _query(self, bundle: LiveBundle, domain: str, request: RetrieveRequest, events: Sequence[Event]) -> Request:
        """A request to the retriever, for one domain."""
        return Request(
            domain,
            user=request.user,
            history=request.history,
            recent=events,
            context=self._context_of(bundle, request.context),
            k=request.k,
            exclude=request.exclude,
            exclude_seen=request.exclude_seen,
            filter=request.filter,
            bid_weight=request.bid_weight,
        )

    def _context_of(self, bundle: LiveBundle, context: Context) -> Context:
        """A context without the features that only other arms have, since a client cannot know which arm answers."""
        if not context or self.experiment is None:
            return context
        others = set().union(*(arm.context for arm in self.bundles.values())) - bundle.context
        return {name: value for name, value in context.items() if name not in others}

    def _check_context(self, context: Context, number: int) -> None:
        """Raise `ProblemError` for the context of an event that a request could not have."""
        for bundle in self.bundles.values() if context else ():
            try:
                context_codes(bundle.retriever.dataset, self._context_of(bundle, context))
            except AdiError as error:
                raise ProblemError(INVALID_EVENT, f"events.{number}: {error}") from None


def _time_of(event: UserEvent, number: int, feed: ClickFeed) -> float:
    """The time of an event in the unit of the log. Raises `ProblemError` for one of another kind than the log's."""
    time, place = event.time, f"events.{number}.time"
    if feed.dataset.manifest.time == "timestamp":
        if isinstance(time, float):
            raise ProblemError(
                INVALID_EVENT, f"{place}: {time:g} is a number. Give a time in ISO 8601, or leave it out."
            )
        return feed.clock() if time is None else (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp() * 1e6
    if not isinstance(time, float):
        raise ProblemError(
            INVALID_EVENT,
            f"{place}: {'missing' if time is None else time}. The time of the bundle's log is a number: give one on "
            "the same scale, by which clicks are counted.",
        )
    return time


def _result(
    bundle: LiveBundle, tops: Sequence[TopK], events: Sequence[Event] | None, *, explain: bool
) -> dict[str, Any]:
    """The content of a `RetrieveResult`."""
    return {
        "version": bundle.version,
        "arm": bundle.arm,
        "domains": {
            top.domain: {"items": top.ids, "scores": top.scores} | ({"parts": top.parts} if explain else {})
            for top in tops
        },
        "ignored": list(dict.fromkeys(chain.from_iterable(top.ignored for top in tops))),
        "without_events": events is None,
        "without_trends": bundle.trends is not None and any(top.parts is None for top in tops),
    }


def _response(results: Sequence[Result]) -> dict[str, Any] | ProblemError:
    """The content of a `RetrieveResponse`, or the problem of the first request that failed."""
    for number, result in enumerate(results):
        if isinstance(result, ProblemError):
            return result
        if isinstance(result, AdiError):
            position = f"requests.{number}: " if len(results) > 1 else ""
            return ProblemError(CANNOT_ANSWER, f"{position}{result}")
    return {"results": results}


def _no_store(remedy: str) -> ProblemError:
    return ProblemError(NO_EVENT_STORE, f"The store of users' events does not answer. {remedy}")
