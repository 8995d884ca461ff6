"""Routes of the HTTP interface: those that need the server's token, and those that are open."""

from fastapi import APIRouter, Depends
from fastapi.responses import PlainTextResponse
from fastapi.routing import APIRoute

from adi.serving.endpoints import Endpoints
from adi.serving.limits import BearerToken
from adi.serving.openapi import DATA, EVENTS, ITEMS, LISTS, RETRIEVE, SERVER
from adi.serving.pages import add_pages
from adi.serving.problems import problem_responses
from adi.serving.responses import (
    BundleResponse,
    DomainsResponse,
    HealthResponse,
    ItemAttributesResponse,
    ItemIdsResponse,
    ReadinessResponse,
    RetrieveResponse,
    UserHistoryResponse,
    UserIdsResponse,
)


def operation_id(route: APIRoute) -> str:
    """The id of a route in the OpenAPI document: the name of its handler."""
    return route.name


def guarded_router(endpoints: Endpoints, token: str | None) -> APIRouter:
    """Routes that need the token, if there is one: a dependency of the router checks it, so every route has it."""
    guard = [] if token is None else [Depends(BearerToken(token))]
    router = APIRouter(dependencies=guard, responses=problem_responses(401), generate_unique_id_function=operation_id)
    add = router.add_api_route
    add(
        "/v1/retrieve",
        endpoints.retrieve,
        methods=["POST"],
        tags=[LISTS],
        response_model=RetrieveResponse,
        responses=problem_responses(400, 413, 422, 503),
        openapi_extra=RETRIEVE,
    )
    add(
        "/v1/events",
        endpoints.events,
        methods=["POST"],
        tags=[LISTS],
        status_code=204,
        response_description="The events are kept.",
        responses=problem_responses(400, 413, 422, 503),
        openapi_extra=EVENTS,
    )
    lookup = problem_responses(422, 503)
    add("/v1/users", endpoints.users, tags=[DATA], response_model=UserIdsResponse, responses=lookup)
    add("/v1/items", endpoints.items, tags=[DATA], response_model=ItemIdsResponse, responses=lookup)
    add(
        "/v1/users/{user:path}",
        endpoints.history,
        tags=[DATA],
        response_model=UserHistoryResponse,
        responses=problem_responses(404, 422, 503),
    )
    add(
        "/v1/items",
        endpoints.attributes,
        methods=["POST"],
        tags=[DATA],
        response_model=ItemAttributesResponse,
        responses=problem_responses(400, 413, 422, 503),
        openapi_extra=ITEMS,
    )
    bundle = problem_responses(422)
    add("/v1/domains", endpoints.domains, tags=[SERVER], response_model=DomainsResponse, responses=bundle)
    add("/v1/bundle", endpoints.bundle, tags=[SERVER], response_model=BundleResponse, responses=bundle)
    add("/metrics", endpoints.metrics, tags=[SERVER], response_class=PlainTextResponse)
    return router


def open_router(endpoints: Endpoints) -> APIRouter:
    """Routes that never need the token: health checks and pages. FastAPI adds `/openapi.json`, which is open too."""
    router = APIRouter(generate_unique_id_function=operation_id)
    router.add_api_route("/healthz", endpoints.health, tags=[SERVER], response_model=HealthResponse)
    router.add_api_route("/readyz", endpoints.ready, tags=[SERVER], response_model=ReadinessResponse)
    add_pages(router)
    return router
