"""Routes of the HTTP interface: those that need the server's token, and those that are open."""

from functools import partial

from fastapi import APIRouter, Depends
from fastapi.responses import PlainTextResponse
from fastapi.routing import APIRoute

from adi.serving import responses as schemas
from adi.serving.endpoints import Endpoints
from adi.serving.limits import BearerToken
from adi.serving.openapi import DATA, EVENTS, ITEMS, LISTS, RETRIEVE, SERVER
from adi.serving.pages import add_pages
from adi.serving.problems import problem_responses as problems


def operation_id(route: APIRoute) -> str:
    """The id of a route in the OpenAPI document: the name of its handler."""
    return route.name


def guarded_router(api: Endpoints, token: str | None) -> APIRouter:
    """Routes that need the token, if there is one, and count requests by client, if these have a limit.

    Dependencies of the router check both, so every route has them.
    """
    guard = [] if token is None else [Depends(BearerToken(token))]
    guard += [] if api.rates is None else [Depends(api.rates)]
    router = APIRouter(dependencies=guard, responses=problems(401, 429), generate_unique_id_function=operation_id)
    post = partial(router.add_api_route, methods=["POST"], responses=problems(400, 408, 413, 422, 500, 503))
    get, lookup, bundle = router.add_api_route, problems(422, 503), problems(422)
    post("/v1/retrieve", api.retrieve, tags=[LISTS], response_model=schemas.RetrieveResponse, openapi_extra=RETRIEVE)
    post(
        "/v1/events",
        api.events,
        tags=[LISTS],
        status_code=204,
        responses=problems(400, 403, 408, 413, 422, 500, 503),
        response_description="The events are kept.",
        openapi_extra=EVENTS,
    )
    post("/v1/items", api.attributes, tags=[DATA], response_model=schemas.ItemAttributesResponse, openapi_extra=ITEMS)
    get("/v1/users", api.users, tags=[DATA], response_model=schemas.UserIdsResponse, responses=lookup)
    get("/v1/items", api.items, tags=[DATA], response_model=schemas.ItemIdsResponse, responses=lookup)
    get("/v1/trending", api.trending, tags=[DATA], response_model=schemas.TrendingResponse, responses=lookup)
    get(
        "/v1/users/{user:path}",
        api.history,
        tags=[DATA],
        response_model=schemas.UserHistoryResponse,
        responses=problems(404, 422, 503),
    )
    get("/v1/domains", api.domains, tags=[SERVER], response_model=schemas.DomainsResponse, responses=bundle)
    get("/v1/bundle", api.bundle, tags=[SERVER], response_model=schemas.BundleResponse, responses=bundle)
    get("/metrics", api.metrics, tags=[SERVER], response_class=PlainTextResponse)
    return router


def open_router(api: Endpoints) -> APIRouter:
    """Routes that never need the token: health checks and pages. FastAPI adds `/openapi.json`, which is open too."""
    router = APIRouter(generate_unique_id_function=operation_id)
    router.add_api_route("/healthz", api.health, tags=[SERVER], response_model=schemas.HealthResponse)
    router.add_api_route("/readyz", api.ready, tags=[SERVER], response_model=schemas.ReadinessResponse)
    add_pages(router, lambda: api.service.picture_sources)
    return router
