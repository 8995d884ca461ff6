"""The routes that look up users and items, for a person who wants to see whom and what an answer is about."""

from typing import Annotated, Any

from fastapi import FastAPI, Path, Request, Response

from adi.errors import AdiError
from adi.serving.answers import Attributes, History, ItemIds, UserIds
from adi.serving.limits import Gate
from adi.serving.lookups import attributes_of, history_of
from adi.serving.messages import ARM_HEADER, AskItems, Prefix, ProblemError, read_items, read_prefix
from adi.serving.openapi import answers, body, by_arm, query
from adi.serving.service import Live, Service

_ITEMS: dict[str, object] = {"Two items": {"domain": "search", "items": ["3", "99"]}}
_PAST = {
    "user": "1",
    "known": True,
    "total": 1,
    "history": [{"item": "3", "domain": "search", "since": False}],
    "without_events": False,
}
_SHOWN = {"items": {"3": {"category": "toys", "bid": 0.5}}, "unknown": ["99"]}


def add_lookups(app: FastAPI, service: Service, gate: Gate) -> None:
    """Add the routes to an application, behind its gate."""

    def live_for(request: Request) -> Live:
        return service.live_in(request.headers.get(ARM_HEADER))

    @app.get(
        "/v1/users",
        tags=["Users and items"],
        response_model=None,
        openapi_extra=by_arm(query(Prefix)),
        responses=answers(UserIds, 401, 422, 503, example={"users": ["1", "10", "100"]}),
    )
    async def users(request: Request) -> Response:
        """Ids of users that start with a text."""
        gate.check_token(request)
        ask = read_prefix(request.query_params)
        return await gate.answer(
            lambda: {"users": live_for(request).retriever.dataset.users.starting(ask.prefix, ask.limit)}
        )

    @app.get(
        "/v1/items",
        tags=["Users and items"],
        response_model=None,
        openapi_extra=by_arm(query(Prefix)),
        responses=answers(ItemIds, 401, 422, 503, example={"items": ["3", "30"]}),
    )
    async def items(request: Request) -> Response:
        """Ids of items that start with a text, of whatever domain."""
        gate.check_token(request)
        ask = read_prefix(request.query_params)
        return await gate.answer(
            lambda: {"items": live_for(request).retriever.dataset.items.starting(ask.prefix, ask.limit)}
        )

    @app.get(
        "/v1/users/{user:path}",
        tags=["Users and items"],
        response_model=None,
        openapi_extra=by_arm({}),
        responses=answers(History, 401, 404, 422, 503, example=_PAST),
    )
    async def history(request: Request, user: Annotated[str, Path(description="The user's id.")]) -> Response:
        """What a user did, newest first: in the bundle's data, and since."""
        gate.check_token(request)

        def work() -> dict[str, Any]:
            live = live_for(request)
            (recent,) = service.recent_of(live, [user])
            if isinstance(recent, ProblemError):
                raise recent
            found = history_of(live.retriever.dataset, user, recent or ())
            if found is None:
                raise ProblemError(404, "Not known", f"user '{user}' is not known, and has no events.")
            return found | {"without_events": recent is None}

        return await gate.answer(work)

    @app.post(
        "/v1/items",
        tags=["Users and items"],
        response_model=None,
        openapi_extra=by_arm(body(_ITEMS, AskItems)),
        responses=answers(Attributes, 400, 401, 413, 422, 503, example=_SHOWN),
    )
    async def attributes(request: Request) -> Response:
        """The attributes of items in a domain, by id."""
        gate.check_token(request)
        content = await gate.body(request)

        def work() -> dict[str, Any]:
            ask, retriever = read_items(content), live_for(request).retriever
            try:
                return attributes_of(retriever.dataset, retriever.domain(ask.domain), ask.items)
            except AdiError as error:
                raise ProblemError(422, "Cannot be answered", str(error)) from None

        return await gate.answer(work)
