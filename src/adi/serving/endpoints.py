"""Handlers of the routes: each reads a request, has it answered within the limits and writes the response."""

from collections.abc import Callable
from functools import partial
from time import perf_counter
from typing import Annotated, Any

import orjson
from fastapi import Header, Path, Query, Request, Response

from adi.errors import AdiError
from adi.serving.admission import LoadLimiter
from adi.serving.batcher import Batcher
from adi.serving.client_rates import ClientRates
from adi.serving.limits import refuse_other_sites
from adi.serving.lookups import attributes_of, history_of
from adi.serving.problems import CANNOT_ANSWER, UNKNOWN_USER, ProblemError
from adi.serving.requests import (
    ARM_HEADER,
    ARM_HELP,
    SHARD_HEADER,
    EventsRequest,
    ItemsRequest,
    PrefixQuery,
    TrendingQuery,
    parse,
    parse_call,
)
from adi.serving.service import Service
from adi.serving.trending import trending_of
from adi.timing import stopwatch

Arm = Annotated[str | None, Header(alias=ARM_HEADER, description=ARM_HELP)]


class Endpoints:
    """The handlers of a service, which are methods. The docstring of each is its summary in the OpenAPI document."""

    def __init__(self, service: Service, limiter: LoadLimiter) -> None:
        self.service, self.limiter = service, limiter
        self.batcher = Batcher(service, limiter)
        rate = limiter.limits.client_rate
        self.rates = None if rate is None else ClientRates(rate, service.metrics.refused)

    async def retrieve(self, request: Request) -> Response:
        """Retrieve the top-K of one user or several."""
        content = await self.limiter.read_body(request)
        with stopwatch() as watch:
            try:
                call = parse_call(content, request.headers.get(ARM_HEADER))
            finally:
                self.service.metrics.observe_stages(watch.seconds)
        if self.rates is not None:
            self.rates.charge(request, len(call.requests) - 1)  # one was counted before
        answer = await self.batcher.answer(call, partial(_left, request))
        response = self._respond(answer)
        if self.service.portion.shard is not None:
            response.headers[SHARD_HEADER] = str(self.service.portion.shard)
        self.service.record(call, answer)
        return response

    async def events(self, request: Request) -> Response:
        """Add events of a user, which count from the next request on."""
        refuse_other_sites(request)
        content = await self.limiter.read_body(request)
        await self.limiter.run(lambda: self.service.add_events(parse(EventsRequest, content)))
        self.service.metrics.requests.labels("204").inc()
        return Response(status_code=204)

    async def users(self, query: Annotated[PrefixQuery, Query()], arm: Arm = None) -> Response:
        """List ids of users by prefix."""
        return await self._run(
            lambda: {"users": self.service.bundle(arm).retriever.dataset.users.starting(query.prefix, query.limit)}
        )

    async def items(self, query: Annotated[PrefixQuery, Query()], arm: Arm = None) -> Response:
        """List ids of items by prefix, in any domain."""
        return await self._run(
            lambda: {"items": self.service.bundle(arm).retriever.dataset.items.starting(query.prefix, query.limit)}
        )

    async def history(self, user: Annotated[str, Path(description="The user's id.")], arm: Arm = None) -> Response:
        """Show a user's history, newest first: the bundle's data, and events since."""

        def read() -> dict[str, Any]:
            bundle = self.service.bundle(arm)
            (events,) = self.service.events_of(bundle, [user])
            if isinstance(events, ProblemError):
                raise events
            history = history_of(bundle.retriever.dataset, user, events or ())
            if history is None:
                raise ProblemError(UNKNOWN_USER, f"user '{user}' is not known and has no events.")
            return history | {"without_events": events is None}

        return await self._run(read)

    async def trending(self, query: Annotated[TrendingQuery, Query()], arm: Arm = None) -> Response:
        """List the items of a domain that are clicked most now."""

        def read() -> dict[str, Any]:
            bundle = self.service.bundle(arm)
            domain = bundle.retriever.answered_number(query.domain)
            return trending_of(bundle.retriever.dataset, bundle.trends, domain, query.half_life, query.k)

        return await self._run(read)

    async def attributes(self, request: Request, arm: Arm = None) -> Response:
        """Show the attributes of items in a domain, by id."""
        content = await self.limiter.read_body(request)

        def read() -> dict[str, Any]:
            wanted, retriever = parse(ItemsRequest, content), self.service.bundle(arm).retriever
            return attributes_of(retriever.dataset, retriever.domain_number(wanted.domain), wanted.items)

        return await self._run(read)

    async def domains(self, arm: Arm = None) -> Response:
        """List the domains of the live bundle with their numbers of items."""
        bundle = self.service.bundle(arm)
        retriever = bundle.retriever
        items = {name: len(retriever.engine.items(retriever.domain_number(name))) for name in bundle.domains}
        return _json({"version": bundle.version, "arm": bundle.arm, "items": items})

    async def bundle(self, arm: Arm = None) -> Response:
        """Describe the live bundle, its indexes and its run."""
        return _json({"arms": self.service.arms, **self.service.bundle(arm).description})

    async def metrics(self) -> Response:
        """Show counts and times for Prometheus."""
        return Response(self.service.metrics.text(), media_type="text/plain; version=0.0.4")

    async def health(self) -> Response:
        """Check that the process is up."""
        return _json({"status": "up"})

    async def ready(self) -> Response:
        """Check that a bundle is live."""
        bundle, shard = self.service.bundle(), self.service.portion.shard
        return _json(
            {
                "status": "ready",
                "version": bundle.version,
                "domains": list(bundle.domains),
                "shard": None if shard is None else str(shard),
                "watch": self.service.watch_state,
            }
        )

    async def _run(self, work: Callable[[], Any]) -> Response:
        """Run work within the limits and respond with its result; an `AdiError` is the client's problem."""
        try:
            return self._respond(await self.limiter.run(work))
        except AdiError as error:
            raise ProblemError(CANNOT_ANSWER, str(error)) from None

    def _respond(self, content: Any) -> Response:
        """Respond with JSON; measured and counted."""
        started = perf_counter()
        response = _json(content)
        self.service.metrics.observe_stages({"write": perf_counter() - started})
        self.service.metrics.requests.labels("200").inc()
        return response


async def _left(request: Request) -> None:
    """Wait until the client of a request, whose body was read, goes away."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _json(content: Any) -> Response:
    return Response(orjson.dumps(content, default=str), media_type="application/json")
