"""The HTTP interface of a service: what is asked, what is answered, and how much at once."""

from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, nullcontext
from importlib.metadata import version

import orjson
from fastapi import FastAPI, Request, Response
from fastapi.responses import PlainTextResponse
from starlette.exceptions import HTTPException

from adi.serving.answers import About, DomainSizes, Ready, Up
from adi.serving.batcher import Together
from adi.serving.explorer_page import add_explorer
from adi.serving.limits import JSON, PROBLEM, Gate, Limits
from adi.serving.lookup_routes import add_lookups
from adi.serving.messages import ARM_HEADER, Ask, AskMany, Events, ProblemError, Retrieved, read_body, read_events
from adi.serving.openapi import GUIDE, TAGS, answers, body, by_arm, complete
from adi.serving.reference_page import add_reference
from adi.serving.service import Service

LISTS: dict[str, object] = {
    "A known user, in one domain": {"user": "1", "domains": ["search"], "k": 5},
    "A new user, by history": {"history": ["3", "99"], "k": 5},
    "Under a condition": {"user": "1", "k": 5, "filter": "bid >= 0.5"},
    "Several users": {"requests": [{"user": "1", "k": 5}, {"user": "2", "k": 5}]},
}
LISTED: dict[str, object] = {
    "results": [
        {
            "version": "1c0218facc91",
            "arm": "control",
            "domains": {"search": {"items": ["4086", "4356"], "scores": [2.71, 2.64]}},
            "ignored": [],
            "without_events": False,
        }
    ],
}
EVENTS: dict[str, object] = {"One event": {"user": "1", "events": [{"item": "3", "domain": "search"}]}}


def create_app(service: Service, limits: Limits | None = None) -> FastAPI:
    """The application of a service, for any ASGI server."""
    limits = limits or Limits()
    pool = ThreadPoolExecutor(limits.workers, thread_name_prefix="adi-serve")

    @asynccontextmanager
    async def life(app: FastAPI) -> AsyncIterator[None]:
        with service.exposures or nullcontext():
            yield
            pool.shutdown(wait=True)  # requests that have begun are answered

    app = FastAPI(
        title="adi",
        version=version("adi-retrieval"),
        description=GUIDE,
        openapi_tags=TAGS,
        generate_unique_id_function=lambda route: str(route.name),
        lifespan=life,
        docs_url=None,
        redoc_url=None,
    )
    gate = Gate(service.metrics, limits, pool)
    together = Together(service, gate)

    @app.exception_handler(ProblemError)
    async def problem(request: Request, error: ProblemError) -> Response:
        service.metrics.answered(error.status)
        return Response(orjson.dumps(error.body()), error.status, error.headers, PROBLEM)

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> Response:
        where, headers = f"{request.method} {request.url.path}", dict(error.headers or {})
        return await problem(request, ProblemError(error.status_code, str(error.detail), where, headers=headers))

    @app.post(
        "/v1/retrieve",
        tags=["Lists"],
        response_model=None,
        openapi_extra=by_arm(body(LISTS, Ask, AskMany)),
        responses=answers(Retrieved, 400, 401, 413, 422, 503, example=LISTED),
    )
    async def retrieve(request: Request) -> Response:
        """The top-K of one user or several."""
        gate.check_token(request)
        asked = gate.read(read_body, await gate.body(request), request.headers.get(ARM_HEADER))
        answer = await together.answer(asked)
        response = gate.reply(answer)
        service.served(asked, answer)
        return response

    @app.post(
        "/v1/events",
        tags=["Lists"],
        response_model=None,
        status_code=204,
        response_description="They are kept.",
        openapi_extra=body(EVENTS, Events),
        responses=answers(None, 400, 401, 413, 422, 503),
    )
    async def events(request: Request) -> Response:
        """What a user did, to be taken into account from the next request on."""
        gate.check_token(request)
        content = await gate.body(request)
        await gate.run(lambda: service.add(read_events(content)))
        service.metrics.answered(204)
        return Response(status_code=204)

    @app.get(
        "/v1/domains",
        tags=["The server"],
        response_model=None,
        openapi_extra=by_arm({}),
        responses=answers(DomainSizes, 401, 422),
    )
    async def domains(request: Request) -> Response:
        """The domains of the live bundle and how many items each has."""
        gate.check_token(request)
        live = service.live_in(request.headers.get(ARM_HEADER))
        items = {name: len(live.retriever.engine.items(number)) for number, name in enumerate(live.domains)}
        return Response(orjson.dumps({"version": live.version, "arm": live.arm, "items": items}), media_type=JSON)

    @app.get(
        "/v1/bundle",
        tags=["The server"],
        response_model=None,
        openapi_extra=by_arm({}),
        responses=answers(About, 401, 422),
    )
    async def bundle(request: Request) -> Response:
        """What the live bundle is: its manifest, without the list of its files."""
        gate.check_token(request)
        about = service.live_in(request.headers.get(ARM_HEADER)).about
        return Response(orjson.dumps({"arms": service.arms, **about}), media_type=JSON)

    @app.get("/healthz", tags=["The server"], response_model=None, responses=answers(Up))
    async def health() -> Response:
        """The process is up."""
        return Response(b'{"status":"up"}', media_type=JSON)

    @app.get("/readyz", tags=["The server"], response_model=None, responses=answers(Ready))
    async def ready() -> Response:
        """A bundle is live."""
        return Response(orjson.dumps({"status": "ready", "version": service.live.version}), media_type=JSON)

    @app.get(
        "/metrics",
        tags=["The server"],
        response_model=None,
        response_class=PlainTextResponse,
        response_description="In Prometheus's text format.",
        responses=answers(None, 401),
    )
    async def metrics(request: Request) -> Response:
        """Counts and times, for Prometheus."""
        gate.check_token(request)
        return Response(service.metrics.text(), media_type="text/plain; version=0.0.4")

    add_lookups(app, service, gate)
    add_explorer(app)
    add_reference(app)
    complete(app, token=limits.token is not None)
    return app
