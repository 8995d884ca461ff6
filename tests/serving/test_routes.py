"""The guard of the routes: each needs the token, unless it is listed here as open."""

import re

from fastapi import FastAPI
from starlette.routing import Route

from adi.serving.admission import LoadLimiter
from adi.serving.endpoints import Endpoints
from adi.serving.limits import Limits
from adi.serving.metrics import Metrics
from adi.serving.problem_handlers import answer_problems
from adi.serving.routes import guarded_router

OPEN = {"/", "/explorer/{name}", "/docs", "/docs/{name}", "/openapi.json", "/healthz", "/readyz"}
TOKEN = {"Authorization": "Bearer sesame"}


def test_every_route_is_guarded_or_listed_as_open(serving, bundles) -> None:
    server = serving(bundles[0], token="sesame")
    open_paths, guarded_paths = set(), set()
    for route in server.app.routes:
        assert isinstance(route, Route), "a mount would hide its routes from this test"
        for method in route.methods - {"HEAD"}:
            path = re.sub(r"\{\w+(:path)?\}", "x", route.path)
            for headers in ({}, {"Authorization": "Bearer open"}, {"Authorization": "Bearer Sesame"}):
                reply = server.ask(path, method=method, headers=headers)
                if reply.status == 401:
                    assert reply.headers["www-authenticate"] == "Bearer"
                    guarded_paths.add(route.path)
                else:
                    open_paths.add(route.path)
            assert server.ask(path, method=method, headers=TOKEN).status != 401
    assert open_paths == OPEN
    assert guarded_paths == {
        *(f"/v1/{name}" for name in ("retrieve", "events", "users", "items", "users/{user:path}")),
        *(f"/v1/{name}" for name in ("trending", "domains", "bundle")),
        "/metrics",
    }


def test_a_new_route_of_the_guarded_router_needs_the_token(listen, served) -> None:
    endpoints = Endpoints(served.service, LoadLimiter(Limits(), Metrics()))
    router = guarded_router(endpoints, "sesame")
    router.add_api_route("/new", endpoints.health)
    app = FastAPI(routes=router.routes)
    answer_problems(app, Metrics())
    server = listen(app, served.service)
    assert server.ask("/new").status == 401
    assert server.ask("/new", headers=TOKEN).status == 200
