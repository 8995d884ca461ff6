"""Parts of the OpenAPI document that FastAPI does not derive: problems, and what handlers read from requests."""

from typing import Any, Literal

from fastapi import FastAPI
from pydantic.json_schema import models_json_schema

from adi.serving.problems import SCHEMA_REF, Problem
from adi.serving.requests import (
    ARM_HEADER,
    ARM_HELP,
    SHARD_HEADER,
    SHARD_HELP,
    EventsRequest,
    ItemsRequest,
    RetrieveBatchRequest,
    RetrieveRequest,
)
from adi.strict import Strict

GUIDE = (
    "The top-K of each domain, from one bundle, or in an experiment from the bundle of the user's arm. A request that "
    "fails is answered with a problem (RFC 9457) whose `detail` says why."
)

LISTS, DATA, SERVER = "Lists", "Users and items", "The server"

TAGS = [
    {"name": LISTS, "description": "Top-K lists of users in each domain, and events of users."},
    {"name": DATA, "description": "The live bundle's data on users and items."},
    {"name": SERVER, "description": "The live bundle, and the state of the server."},
]


def _json_body(examples: dict[str, object], *schemas: type[Strict]) -> dict[str, Any]:
    """A JSON body that matches one of the schemas, with named examples."""
    references = [{"$ref": SCHEMA_REF.format(model=schema.__name__)} for schema in schemas]
    content = {
        "schema": references[0] if len(references) == 1 else {"anyOf": references},
        "examples": {name: {"summary": name, "value": value} for name, value in examples.items()},
    }
    return {"requestBody": {"required": True, "content": {"application/json": content}}}


ARM_PARAMETER = {"name": ARM_HEADER, "in": "header", "description": ARM_HELP, "schema": {"type": "string"}}

RETRIEVE = {
    "parameters": [ARM_PARAMETER],
    "responses": {"200": {"headers": {SHARD_HEADER: {"description": SHARD_HELP, "schema": {"type": "string"}}}}},
    **_json_body(
        {
            "A known user, in one domain": {"user": "1", "domains": ["search"], "k": 5},
            "A new user, by history": {"history": ["3", "99"], "k": 5},
            "With a filter": {"user": "1", "k": 5, "filter": "bid >= 0.5"},
            "Several users": {"requests": [{"user": "1", "k": 5}, {"user": "2", "k": 5}]},
        },
        RetrieveRequest,
        RetrieveBatchRequest,
    ),
}
EVENTS = _json_body(
    {
        "One event": {"user": "1", "events": [{"item": "3", "domain": "search"}]},
        "With its context": {"user": "1", "events": [{"item": "3", "domain": "search", "context": {"hour": 9}}]},
    },
    EventsRequest,
)
ITEMS = _json_body({"Two items": {"domain": "search", "items": ["3", "99"]}}, ItemsRequest)


def complete_openapi(app: FastAPI) -> None:
    """Add to an application's OpenAPI document the schemas above, and summaries from the handlers' docstrings."""
    document = app.openapi()  # cached by the application, which serves it
    schemas: tuple[type[Strict], ...] = (RetrieveRequest, RetrieveBatchRequest, EventsRequest, ItemsRequest, Problem)
    modes: list[tuple[type[Strict], Literal["validation"]]] = [(schema, "validation") for schema in schemas]
    document["components"]["schemas"] |= models_json_schema(modes, ref_template=SCHEMA_REF)[1]["$defs"]
    for path in document["paths"].values():
        for operation in path.values():
            operation["summary"] = operation.pop("description").rstrip(".")
