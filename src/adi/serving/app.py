"""The HTTP interface of a service: what is asked, what is answered, and how much at once."""

from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any

import orjson
from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException

from adi.schema import Strict
from adi.serving.explorer_page import add_explorer
from adi.serving.gate import JSON, PROBLEM, Gate, Limits
from adi.serving.lookup_routes import add_lookups
from adi.serving.messages import Ask, AskMany, Events, ProblemError, Retrieved, read_asks, read_events
from adi.serving.service import Service


def _body(*kinds: type[Strict]) -> dict[str, Any]:
    """The schema of a body that is one of `kinds`."""
    schemas = [kind.model_json_schema() for kind in kinds]
    return {"requestBody": {"required": True, "content": {JSON: {"schema": {"anyOf": schemas}}}}}


_FAULTS: dict[int | str, dict[str, Any]] = {
    status: {"description": description, "content": {PROBLEM: {}}}
    for status, description in {
        400: "The body is no JSON.",
        401: "The bearer token is missing or another.",
        413: "The body is too large.",
        422: "No such request, or one that cannot be answered; the detail says why.",
        503: "Busy, too slow, or no store of events; Retry-After says when to ask again.",
    }.items()
}


def create_app(service: Service, limits: Limits | None = None) -> FastAPI:
    """The application of a service, for any ASGI server."""
    limits = limits or Limits()
    pool = ThreadPoolExecutor(limits.workers, thread_name_prefix="adi-serve")

    @asynccontextmanager
    async def life(app: FastAPI) -> AsyncIterator[None]:
        yield
        pool.shutdown(wait=True)  # requests that have begun are answered

    app = FastAPI(
        title="adi", description="Each domain's top-K, from one bundle.", lifespan=life, docs_url=None, redoc_url=None
    )
    gate = Gate(service.metrics, limits, pool)

    @app.exception_handler(ProblemError)
    async def problem(request: Request, error: ProblemError) -> Response:
        service.metrics.answered(error.status)
        return Response(orjson.dumps(error.body()), error.status, error.headers, PROBLEM)

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> Response:
        return await problem(
            request, ProblemError(error.status_code, str(error.detail), f"{request.method} {request.url.path}")
        )

    @app.post(
        "/v1/retrieve",
        response_model=None,
        openapi_extra=_body(Ask, AskMany),
        responses={200: {"model": Retrieved}, **_FAULTS},
    )
    async def retrieve(request: Request) -> Response:
        """The top-K of one user or several."""
        gate.check_token(request)
        body = await gate.body(request)
        return await gate.answer(lambda: service.answer(read_asks(body)))

    @app.post("/v1/events", response_model=None, status_code=204, openapi_extra=_body(Events), responses=_FAULTS)
    async def events(request: Request) -> Response:
        """What a user did, to be taken into account from the next request on."""
        gate.check_token(request)
        body = await gate.body(request)
        await gate.run(lambda: service.add(read_events(body)))
        service.metrics.answered(204)
        return Response(status_code=204)

    @app.get("/v1/domains", response_model=None)
    async def domains(request: Request) -> Response:
        """The domains of the live bundle and how many items each has."""
        gate.check_token(request)
        live = service.live
        items = {name: len(live.retriever.engine.items(number)) for number, name in enumerate(live.domains)}
        return Response(orjson.dumps({"version": live.version, "items": items}), media_type=JSON)

    @app.get("/v1/bundle", response_model=None)
    async def bundle(request: Request) -> Response:
        """What the live bundle is: its manifest, without the list of its files."""
        gate.check_token(request)
        return Response(orjson.dumps(service.live.about), media_type=JSON)

    @app.get("/healthz", response_model=None)
    async def health() -> Response:
        """The process is up."""
        return Response(b'{"status":"up"}', media_type=JSON)

    @app.get("/readyz", response_model=None)
    async def ready() -> Response:
        """A bundle is live."""
        return Response(orjson.dumps({"status": "ready", "version": service.live.version}), media_type=JSON)

    @app.get("/metrics", response_model=None)
    async def metrics(request: Request) -> Response:
        """Counts and times, for Prometheus."""
        gate.check_token(request)
        return Response(service.metrics.text(), media_type="text/plain; version=0.0.4")

    add_lookups(app, service, gate, _FAULTS)
    add_explorer(app)
    return app
