"""The interface's description, `GET /openapi.json`: what is asked, answered and refused, with an example of each."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

from fastapi import FastAPI
from pydantic.json_schema import models_json_schema

from adi.schema import Strict
from adi.serving.limits import JSON, PROBLEM
from adi.serving.messages import ARM_HEADER, Ask, AskItems, AskMany, Events, Problem

Responses = dict[int | str, dict[str, Any]]

OWN = (Ask, AskMany, AskItems, Events, Problem)
"""What is described here, since no route has it as a parameter or a result."""

REFERENCE = "#/components/schemas/{model}"

GUIDE = (
    "Each domain's top-K, from one bundle, or in an experiment from that of the user's arm. What is not answered is a "
    "problem (RFC 9457) whose `detail` says why."
)

TAGS = [
    {"name": "Lists", "description": "The top-K of a user in each domain, and what users do."},
    {"name": "Users and items", "description": "What the data of the live bundle says of them."},
    {"name": "The server", "description": "What is live, and how it does."},
]


class Fault(NamedTuple):
    """What a status means, what a problem of it says, and its headers."""

    description: str
    title: str
    detail: str
    headers: Mapping[str, str] = MappingProxyType({})


FAULTS = {
    400: Fault("The body is no JSON.", "Not JSON", "Invalid JSON: EOF while parsing a value at line 1 column 0."),
    401: Fault(
        "The bearer token is missing, or another.",
        "No access",
        "Give the server's token: Authorization: Bearer TOKEN.",
        {"WWW-Authenticate": "The kind of token: Bearer."},
    ),
    404: Fault("Nobody of this id.", "Not known", "user 'nobody' is not known, and has no events."),
    413: Fault("The body is too large.", "Too large", "The body has more than 1,048,576 bytes. Ask for fewer at once."),
    422: Fault(
        "Not as the schema says, or not to be answered, such as a domain, user, arm, attribute or context feature that "
        "there is not, or a filter that is none. The detail names the key, the value and the remedy.",
        "Cannot be answered",
        "domain 'serch' is not one of search, feed. Did you mean 'search'?",
    ),
    503: Fault(
        "Busy, too slow, or no store of events.",
        "Busy",
        "66 requests are waiting or at work. Ask again in a second.",
        {"Retry-After": "Seconds after which to ask again."},
    ),
}


def answers(kind: type[Strict] | None, *faults: int, example: object = None) -> Responses:
    """What a route answers: a model of it with an example, None for a route that says itself, and which faults."""
    found: Responses = {}
    if kind is not None:
        found[200] = {"model": kind, "description": str(kind.__doc__)}
        if example is not None:
            found[200]["content"] = {JSON: {"example": example}}
    for status in faults:
        fault = FAULTS[status]
        problem = Problem(type="about:blank", title=fault.title, status=status, detail=fault.detail)
        schema = {"$ref": REFERENCE.format(model=Problem.__name__)}
        found[status] = {
            "description": fault.description,
            "content": {PROBLEM: {"schema": schema, "example": problem.model_dump()}},
            "headers": {
                name: {"description": words, "schema": {"type": "string"}} for name, words in fault.headers.items()
            },
        }
    return found


def body(examples: Mapping[str, object], *kinds: type[Strict]) -> dict[str, Any]:
    """A body that is one of `kinds`, with named examples."""
    schemas = [{"$ref": REFERENCE.format(model=kind.__name__)} for kind in kinds]
    content = {
        "schema": schemas[0] if len(schemas) == 1 else {"anyOf": schemas},
        "examples": {name: {"summary": name, "value": value} for name, value in examples.items()},
    }
    return {"requestBody": {"required": True, "content": {JSON: content}}}


def query(kind: type[Strict]) -> dict[str, Any]:
    """A URL's query with the fields of a model, all of which have a default."""
    fields = kind.model_json_schema()["properties"]
    return {
        "parameters": [
            {"name": name, "in": "query", "description": schema.pop("description"), "schema": schema}
            for name, schema in fields.items()
        ]
    }


def by_arm(extra: Mapping[str, Any]) -> dict[str, Any]:
    """What a route says of its request, with the header that names the arm whose bundle is to answer."""
    words = (
        "The arm of the experiment that is to answer, instead of the user's, or of the control where there is no user."
    )
    header = {"name": ARM_HEADER, "in": "header", "description": words, "schema": {"type": "string"}}
    return {**extra, "parameters": [*extra.get("parameters", []), header]}


def complete(app: FastAPI, *, token: bool) -> None:
    """Add to an application's description what no route says; with `token`, that those which answer 401 need one."""
    found = app.openapi()  # kept by the application, which answers with it
    kinds: list[tuple[type[Strict], Literal["validation"]]] = [(kind, "validation") for kind in OWN]
    found["components"]["schemas"] |= models_json_schema(kinds, ref_template=REFERENCE)[1]["$defs"]
    if token:
        scheme = {"type": "http", "scheme": "bearer", "description": "The token that the server was started with."}
        found["components"]["securitySchemes"] = {"token": scheme}
    for operation in (operation for path in found["paths"].values() for operation in path.values()):
        operation["summary"] = operation.pop("description").rstrip(".")  # a sentence says more than the route's name
        if token and "401" in operation["responses"]:
            operation["security"] = [{"token": []}]
