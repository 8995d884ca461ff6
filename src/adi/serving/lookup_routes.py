"""The routes that look up users and items, for a person who wants to see whom and what an answer is about."""

from typing import Any

from fastapi import FastAPI, Request, Response

from adi.errors import AdiError
from adi.serving.gate import JSON, PROBLEM, Gate
from adi.serving.lookups import attributes_of, history_of
from adi.serving.messages import AskItems, Prefix, ProblemError, read_items, read_prefix
from adi.serving.service import Service

_QUERY = {
    "parameters": [
        {"name": name, "in": "query", "schema": schema}
        for name, schema in Prefix.model_json_schema()["properties"].items()
    ]
}


_UNKNOWN: dict[int | str, dict[str, Any]] = {404: {"description": "No such user.", "content": {PROBLEM: {}}}}


def add_lookups(app: FastAPI, service: Service, gate: Gate, faults: dict[int | str, dict[str, Any]]) -> None:
    """Add the routes to an application, behind its gate."""

    @app.get("/v1/users", response_model=None, openapi_extra=_QUERY, responses=faults)
    async def users(request: Request) -> Response:
        """Ids of users that start with a text."""
        gate.check_token(request)
        ask = read_prefix(request.query_params)
        return await gate.answer(
            lambda: {"users": service.live.retriever.dataset.users.starting(ask.prefix, ask.limit)}
        )

    @app.get("/v1/items", response_model=None, openapi_extra=_QUERY, responses=faults)
    async def items(request: Request) -> Response:
        """Ids of items that start with a text, of whatever domain."""
        gate.check_token(request)
        ask = read_prefix(request.query_params)
        return await gate.answer(
            lambda: {"items": service.live.retriever.dataset.items.starting(ask.prefix, ask.limit)}
        )

    @app.get("/v1/users/{user:path}", response_model=None, responses=faults | _UNKNOWN)
    async def history(request: Request, user: str) -> Response:
        """What a user did, newest first: in the bundle's data, and since."""
        gate.check_token(request)

        def work() -> dict[str, Any]:
            live = service.live
            recent = service.recent_of(live, user)
            found = history_of(live.retriever.dataset, user, recent or ())
            if found is None:
                raise ProblemError(404, "Not known", f"user '{user}' is not known, and has no events.")
            return found | {"without_events": recent is None}

        return await gate.answer(work)

    @app.post(
        "/v1/items",
        response_model=None,
        openapi_extra={"requestBody": {"required": True, "content": {JSON: {"schema": AskItems.model_json_schema()}}}},
        responses=faults,
    )
    async def attributes(request: Request) -> Response:
        """The attributes of items in a domain, by id."""
        gate.check_token(request)
        body = await gate.body(request)

        def work() -> dict[str, Any]:
            ask, retriever = read_items(body), service.live.retriever
            try:
                return attributes_of(retriever.dataset, retriever.domain(ask.domain), ask.items)
            except AdiError as error:
                raise ProblemError(422, "Cannot be answered", str(error)) from None

        return await gate.answer(work)
