"""The HTTP application of a service."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from importlib.metadata import version

import orjson
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from adi.serving.endpoints import Endpoints
from adi.serving.limits import Limits, LoadLimiter
from adi.serving.metrics import Metrics
from adi.serving.openapi import GUIDE, TAGS, complete_openapi
from adi.serving.problems import PROBLEM_JSON, Failure, ProblemError, validation_problem
from adi.serving.refresher import Refresher
from adi.serving.routes import guarded_router, open_router
from adi.serving.service import Service


def create_app(service: Service, limits: Limits | None = None) -> FastAPI:
    """Create the application of a service, for any ASGI server."""
    limits = limits or Limits()
    limiter = LoadLimiter(limits, service.metrics)
    endpoints = Endpoints(service, limiter)
    routes = [*guarded_router(endpoints, limits.token).routes, *open_router(endpoints).routes]

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        with service.exposures or nullcontext(), Refresher(service, service.report):
            yield
            limiter.pool.shutdown(wait=True)  # requests at work are answered first

    app = FastAPI(
        title="adi",
        version=version("adi-retrieval"),
        description=GUIDE,
        openapi_tags=TAGS,
        routes=routes,  # one flat list: a router within the application would be slower to match
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
    )
    answer_problems(app, service.metrics)
    complete_openapi(app)
    return app


def answer_problems(app: FastAPI, metrics: Metrics) -> None:
    """Let an application answer each failed request with its problem, and count it."""

    async def answer(request: Request, error: Exception) -> Response:
        problem = _problem(request, error)
        metrics.requests.labels(str(problem.failure.status)).inc()
        return Response(
            orjson.dumps(problem.body()), problem.failure.status, dict(problem.failure.headers), PROBLEM_JSON
        )

    for kind in (ProblemError, HTTPException, RequestValidationError):
        app.add_exception_handler(kind, answer)


def _problem(request: Request, error: Exception) -> ProblemError:
    """The problem of a request that failed with an error of the service or of FastAPI."""
    if isinstance(error, HTTPException):
        failure = Failure(error.status_code, str(error.detail), error.headers or {})
        return ProblemError(failure, f"{request.method} {request.url.path}")
    if isinstance(error, RequestValidationError):  # whose locations begin with the part of the request: query.limit
        return validation_problem([{**fault, "loc": fault["loc"][1:]} for fault in error.errors()])
    assert isinstance(error, ProblemError)
    return error
