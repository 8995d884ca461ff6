"""The HTTP application of a router."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from importlib.metadata import version
from time import perf_counter
from typing import Any, TypeVar

import httpx
import orjson
from fastapi import Depends, FastAPI, Request, Response
from pydantic import Field

from adi.router.dispatcher import NO_SERVER, Dispatcher, error_headers
from adi.router.metrics import RouterMetrics
from adi.router.readiness import faults_of, server_states, versions_of
from adi.router.replicas import Client, NoAnswerError
from adi.router.table import RoutingTable
from adi.serving.client_rates import ClientRates
from adi.serving.limits import read_body, refuse_other_sites
from adi.serving.problem_handlers import answer_problems
from adi.serving.problems import BUSY, TOO_SLOW, ProblemError
from adi.serving.requests import ARM_HEADER, parse_call
from adi.strict import Strict

PASSED_ON = ("authorization", ARM_HEADER)
"""Headers of requests that servers get as they came."""

Result = TypeVar("Result")


class RouterLimits(Strict):
    """Limits of a router.

    It gives up on a request after `timeout` seconds, and on one server after `try_timeout`, to ask another. It answers
    `in_flight` requests at once and rejects more, and bodies of more than `body_bytes`. With a `client_rate`, a client
    may send so many requests a second (`adi.serving.client_rates`); servers behind a router see the router alone.
    """

    timeout: float = Field(5.0, gt=0.0)
    try_timeout: float = Field(2.0, gt=0.0)
    in_flight: int = Field(256, ge=1)
    body_bytes: int = Field(1 << 20, ge=1)
    client_rate: float | None = Field(None, gt=0.0, allow_inf_nan=False)


class Endpoints:
    """The handlers of a router, which are methods."""

    def __init__(self, table: RoutingTable, limits: RouterLimits, metrics: RouterMetrics) -> None:
        self.table, self.limits, self.metrics = table, limits, metrics
        addresses = dict.fromkeys(
            address for servers in table.domains.values() for replicas in servers.shards for address in replicas
        )
        self.client = Client(list(addresses), metrics, try_timeout=limits.try_timeout)
        self.dispatcher = Dispatcher(table, self.client, metrics)
        self.in_flight = 0
        rate = limits.client_rate
        self.rates = None if rate is None else ClientRates(rate, metrics.refused)

    async def retrieve(self, request: Request) -> Response:
        """Retrieve the top-K of one user or several, from the servers of each domain."""
        started = perf_counter()
        content = await read_body(request, self.limits.body_bytes, self.limits.timeout)
        call = parse_call(content, request.headers.get(ARM_HEADER))
        if self.rates is not None:
            self.rates.charge(request, len(call.requests) - 1)  # one was counted before
        read = perf_counter()
        answer = await self._within_limits(lambda: self.dispatcher.answer(call, _passed_on(request)))
        merged = perf_counter()
        response = _json(answer)
        self.metrics.observe_stages(
            {"read": read - started, "servers": merged - read, "write": perf_counter() - merged}
        )
        self.metrics.requests.labels("200").inc()
        return response

    async def events(self, request: Request) -> Response:
        """Pass events of a user on to one server; the servers share their store of events."""
        refuse_other_sites(request)
        content = await read_body(request, self.limits.body_bytes, self.limits.timeout)
        headers = _passed_on(request)

        async def pass_on() -> httpx.Response:
            return await self.client.ask(list(self.client.servers), "/v1/events", content, headers, repeatable=False)

        try:
            response = await self._within_limits(pass_on)
        except NoAnswerError as error:
            if error.unavailable is None:
                raise ProblemError(NO_SERVER, f"No server takes events: {error}. Send the events again.") from None
            response = error.unavailable
        self.metrics.requests.labels(str(response.status_code)).inc()
        return Response(
            response.content, response.status_code, error_headers(response), response.headers.get("content-type")
        )

    async def health(self) -> Response:
        """Check that the process is up."""
        return _json({"status": "up"})

    async def ready(self) -> Response:
        """Check that each domain has servers that answer."""
        states = await server_states(self.client)
        if faults := faults_of(self.table, states):
            raise ProblemError(NO_SERVER, f"{'; '.join(faults)}.")
        return _json({"status": "ready", "versions": versions_of(states), "domains": list(self.table.domains)})

    async def show_metrics(self) -> Response:
        """Show counts and times for Prometheus."""
        return Response(self.metrics.text(), media_type="text/plain; version=0.0.4")

    async def _within_limits(self, work: Callable[[], Awaitable[Result]]) -> Result:
        """Do work; raises `ProblemError` if too many requests are being answered, or time is up."""
        if self.in_flight >= self.limits.in_flight:
            self.metrics.refused.labels("full").inc()
            raise ProblemError(BUSY, f"{self.in_flight} requests are being answered. Retry in a second.")
        self.in_flight += 1
        self.metrics.requests_in_flight.inc()
        try:
            return await asyncio.wait_for(work(), self.limits.timeout)
        except TimeoutError:
            raise ProblemError(TOO_SLOW, f"No answer within {self.limits.timeout:g} seconds. Ask for less.") from None
        finally:
            self.in_flight -= 1
            self.metrics.requests_in_flight.dec()


def create_app(table: RoutingTable, limits: RouterLimits | None = None) -> FastAPI:
    """Create the application of a router, for any ASGI server."""
    metrics = RouterMetrics()
    api = Endpoints(table, limits or RouterLimits(), metrics)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        await api.client.close()

    app = FastAPI(title="adi route", version=version("adi-retrieval"), lifespan=lifespan, openapi_url=None)
    limited = [] if api.rates is None else [Depends(api.rates)]
    app.add_api_route("/v1/retrieve", api.retrieve, methods=["POST"], dependencies=limited)
    app.add_api_route("/v1/events", api.events, methods=["POST"], dependencies=limited)
    app.add_api_route("/healthz", api.health)
    app.add_api_route("/readyz", api.ready)
    app.add_api_route("/metrics", api.show_metrics)
    answer_problems(app, metrics)
    return app


def _passed_on(request: Request) -> dict[str, str]:
    return {name: request.headers[name] for name in PASSED_ON if name in request.headers}


def _json(content: Any) -> Response:
    return Response(orjson.dumps(content), media_type="application/json")
