"""The interface's description: whole, valid, with examples that are, and what the server does."""

from collections.abc import Iterator
from importlib.metadata import version
from typing import Any

import jsonschema
import pytest
from openapi_spec_validator import validate


@pytest.fixture(scope="module")
def description(served) -> dict[str, Any]:
    return served.ask("/openapi.json").body


@pytest.fixture(scope="module")
def fresh(serving, bundles):
    """A server that may be told events."""
    return serving(bundles[0])


def operations(description: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in description["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def fits(value: object, schema: dict[str, Any], description: dict[str, Any]) -> None:
    jsonschema.Draft202012Validator(schema | {"components": description["components"]}).validate(value)


def test_it_is_valid_and_of_this_version(description) -> None:
    validate(description)
    assert description["info"]["version"] == version("adi-retrieval")
    assert {path for path in description["paths"] if path.startswith("/v1/")} == {
        "/v1/retrieve",
        "/v1/events",
        "/v1/domains",
        "/v1/bundle",
        "/v1/users",
        "/v1/items",
        "/v1/users/{user}",
    }


def test_everything_is_described(description) -> None:
    told = {tag["name"] for tag in description["tags"]}
    for name, operation in operations(description):
        assert len(operation["summary"].split()) > 2, name
        assert set(operation["tags"]) <= told, name
        for one in [*operation.get("parameters", []), *operation["responses"].values()]:
            assert one["description"], name
    for name, schema in description["components"]["schemas"].items():
        assert schema["description"], name
        assert {key for key, field in schema["properties"].items() if not field.get("description")} == set(), name


def test_examples_are_what_they_show(description) -> None:
    shown = 0
    for _, operation in operations(description):
        bodies = [operation.get("requestBody", {"content": {}}), *operation["responses"].values()]
        for media in (media for body in bodies for media in body.get("content", {}).values()):
            named = [example["value"] for example in media.get("examples", {}).values()]
            for value in [*named, *([media["example"]] if "example" in media else [])]:
                fits(value, media["schema"], description)
                shown += 1
    assert shown > 30


@pytest.mark.parametrize(
    ("status", "path", "template", "body"),
    [
        (200, "/v1/retrieve", None, {"user": "ana", "exclude": ["none"]}),
        (200, "/v1/retrieve", None, {"requests": [{"user": "ana", "context": {"hour": 9}}, {"history": []}]}),
        (400, "/v1/retrieve", None, b"{"),
        (413, "/v1/retrieve", None, {"user": "x" * (1 << 20)}),
        (422, "/v1/retrieve", None, {"user": "nobody"}),
        (204, "/v1/events", None, {"user": "ana", "events": [{"item": "pen", "domain": "feed"}]}),
        (200, "/v1/items", None, {"domain": "feed", "items": ["pen", "none", "été"]}),
        (200, "/v1/items?prefix=p", "/v1/items", None),
        (200, "/v1/users?limit=2", "/v1/users", None),
        (422, "/v1/users?limit=0", "/v1/users", None),
        (200, "/v1/users/ana", "/v1/users/{user}", None),
        (404, "/v1/users/nobody", "/v1/users/{user}", None),
        (200, "/v1/domains", None, None),
        (200, "/v1/bundle", None, None),
        (200, "/healthz", None, None),
        (200, "/readyz", None, None),
    ],
)
def test_the_server_does_what_it_says(fresh, description, status, path, template, body) -> None:
    operation = description["paths"][template or path]["get" if body is None else "post"]
    if status < 300 and body is not None:
        fits(body, operation["requestBody"]["content"]["application/json"]["schema"], description)
    reply = fresh.ask(path, body)
    told = operation["responses"][str(status)]
    assert reply.status == status
    if status == 204:
        assert "content" not in told
    else:
        fits(reply.body, told["content"][reply.headers["content-type"]]["schema"], description)


def test_what_is_refused_does_not_fit(description) -> None:
    media = description["paths"]["/v1/retrieve"]["post"]["requestBody"]["content"]["application/json"]
    for body in ({"user": 7}, {"user": "ana", "k": 0}, {"user": "ana", "kk": 3}, {"requests": []}, {"domains": []}):
        with pytest.raises(jsonschema.ValidationError, match="is not valid under any of the given schemas"):
            fits(body, media["schema"], description)


def test_a_token_is_described_where_it_is_asked_for(serving, bundles, description) -> None:
    assert "securitySchemes" not in description["components"]
    server = serving(bundles[0], token="sesame")
    told = server.ask("/openapi.json").body
    validate(told)
    assert told["components"]["securitySchemes"]["token"]["scheme"] == "bearer"
    for name, operation in operations(told):
        method, path = name.split()
        refused = server.ask(path, {} if method == "POST" else None).status == 401
        assert ("security" in operation, "401" in operation["responses"]) == (refused, refused), name
