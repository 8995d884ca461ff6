"""The HTTP application of a service."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from importlib.metadata import version

from fastapi import FastAPI

from adi.serving.admission import LoadLimiter
from adi.serving.endpoints import Endpoints
from adi.serving.limits import Limits
from adi.serving.openapi import GUIDE, TAGS, complete_openapi
from adi.serving.problem_handlers import answer_problems
from adi.serving.problems import ProblemError
from adi.serving.refresher import Refresher
from adi.serving.routes import guarded_router, open_router
from adi.serving.service import Service


def create_app(service: Service, limits: Limits | None = None) -> FastAPI:
    """Create the application of a service, for any ASGI server."""
    limits = limits or Limits()
    limiter = LoadLimiter(limits, service.metrics)
    endpoints = Endpoints(service, limiter)
    routes = [*guarded_router(endpoints, limits.token).routes, *open_router(endpoints).routes]

    def refusal() -> ProblemError | None:
        problem = limiter.refusal()
        if problem is not None:
            service.metrics.requests.labels(str(problem.failure.status)).inc()
        return problem

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
    app.state.refusal = refusal
    answer_problems(app, service.metrics)
    complete_openapi(app)
    return app
