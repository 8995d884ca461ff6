"""The OpenAPI document: valid, complete, with valid examples, and true of the server."""

from collections.abc import Iterator
from importlib.metadata import version
from typing import Any

import jsonschema
import pytest
from openapi_spec_validator import validate


@pytest.fixture(scope="module")
def document(served) -> dict[str, Any]:
    return served.ask("/openapi.json").body


@pytest.fixture(scope="module")
def fresh(serving, bundles):
    """A server that may be sent events."""
    return serving(bundles[0])


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def media_types(operation: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The content of an operation's body and responses."""
    for content in [operation.get("requestBody", {}), *operation["responses"].values()]:
        yield from content.get("content", {}).values()


def check(value: object, schema: dict[str, Any], document: dict[str, Any]) -> None:
    jsonschema.Draft202012Validator(schema | {"components": document["components"]}).validate(value)


def test_it_is_valid_and_lists_the_routes_of_this_version(document) -> None:
    validate(document)
    assert document["info"]["version"] == version("adi-retrieval")
    assert {path for path in document["paths"] if path.startswith("/v1/")} == {
        "/v1/retrieve",
        "/v1/events",
        "/v1/domains",
        "/v1/bundle",
        "/v1/users",
        "/v1/items",
        "/v1/trending",
        "/v1/users/{user}",
    }


def test_everything_is_described(document) -> None:
    tags = {tag["name"] for tag in document["tags"]}
    for name, operation in operations(document):
        assert len(operation["summary"].split()) > 2, name
        assert set(operation["tags"]) <= tags, name
        for part in [*operation.get("parameters", []), *operation["responses"].values()]:
            assert part["description"], name
    for name, schema in document["components"]["schemas"].items():
        assert schema["description"], name
        assert {key for key, field in schema["properties"].items() if not field.get("description")} == set(), name


def test_operations_are_named_after_what_they_do(document) -> None:
    assert {operation["operationId"] for _, operation in operations(document)} == {
        *("retrieve", "events", "users", "items", "history", "attributes", "trending"),
        *("domains", "bundle", "health", "ready", "metrics"),
    }


def test_schemas_are_named_as_requests_and_responses(document) -> None:
    def names(media_type: dict[str, Any]) -> set[str]:
        schema = media_type["schema"]
        return {each["$ref"].rpartition("/")[2] for each in schema.get("anyOf", [schema]) if "$ref" in each}

    for name, operation in operations(document):
        body = operation.get("requestBody", {"content": {}})["content"].values()
        assert {each for media_type in body for each in names(media_type) if not each.endswith("Request")} == set()
        for media_type in operation["responses"].get("200", {}).get("content", {}).values():
            assert all(each.endswith("Response") for each in names(media_type)), name
    assert {"RetrieveRequest", "RetrieveBatchRequest", "RetrieveResponse"} <= document["components"]["schemas"].keys()


def test_examples_match_their_schemas(document) -> None:
    examples = [
        (example, media_type["schema"])
        for _, operation in operations(document)
        for media_type in media_types(operation)
        for example in [
            *(each["value"] for each in media_type.get("examples", {}).values()),
            *([media_type["example"]] if "example" in media_type else []),
        ]
    ]
    examples += [
        (example, {"$ref": f"#/components/schemas/{name}"})
        for name, schema in document["components"]["schemas"].items()
        for example in schema.get("examples", [])
    ]
    assert len(examples) > 30
    for example, schema in examples:
        check(example, schema, document)


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
        (422, "/v1/trending?domain=feed", "/v1/trending", None),
        (200, "/v1/domains", None, None),
        (200, "/v1/bundle", None, None),
        (200, "/healthz", None, None),
        (200, "/readyz", None, None),
    ],
)
def test_the_server_answers_as_described(fresh, document, status, path, template, body) -> None:
    operation = document["paths"][template or path]["get" if body is None else "post"]
    if status < 300 and body is not None:
        check(body, operation["requestBody"]["content"]["application/json"]["schema"], document)
    reply = fresh.ask(path, body)
    response = operation["responses"][str(status)]
    assert reply.status == status
    if status == 204:
        assert "content" not in response
    else:
        check(reply.body, response["content"][reply.headers["content-type"]]["schema"], document)


def test_invalid_requests_do_not_match_the_schema(document) -> None:
    media_type = document["paths"]["/v1/retrieve"]["post"]["requestBody"]["content"]["application/json"]
    for body in ({"user": 7}, {"user": "ana", "k": 0}, {"user": "ana", "kk": 3}, {"requests": []}, {"domains": []}):
        with pytest.raises(jsonschema.ValidationError, match="is not valid under any of the given schemas"):
            check(body, media_type["schema"], document)


def test_a_token_is_described_where_it_is_needed(serving, bundles, document) -> None:
    assert "securitySchemes" not in document["components"]
    server = serving(bundles[0], token="sesame")
    guarded = server.ask("/openapi.json").body
    validate(guarded)
    assert guarded["components"]["securitySchemes"]["token"]["scheme"] == "bearer"
    for name, operation in operations(guarded):
        method, path = name.split()
        refused = server.ask(path, {} if method == "POST" else None).status == 401
        assert ("security" in operation, "401" in operation["responses"]) == (refused, refused), name
