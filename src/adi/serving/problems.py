"""Problem details (RFC 9457): the answer to every request that fails, and the table of failures."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from types import MappingProxyType
from typing import Any, NamedTuple

import orjson
from pydantic import Field

from adi.strict import Strict

PROBLEM_JSON = "application/problem+json"

SCHEMA_REF = "#/components/schemas/{model}"
"""Reference to a schema in the OpenAPI document."""

MAX_LISTED = 5
"""Validation errors that one problem lists."""


class Failure(NamedTuple):
    """A kind of failure: the HTTP status, title and headers of its answer."""

    status: int
    title: str
    headers: Mapping[str, str] = MappingProxyType({})


INVALID_JSON = Failure(400, "Invalid JSON")
UNAUTHORIZED = Failure(401, "Unauthorized", {"WWW-Authenticate": "Bearer"})
OTHER_SITE = Failure(403, "Request of another site")
UNKNOWN_USER = Failure(404, "Unknown user")
SLOW_BODY = Failure(408, "Body too slow", {"Connection": "close"})
BODY_TOO_LARGE = Failure(413, "Body too large")
INVALID_REQUEST = Failure(422, "Invalid request")
INVALID_EVENT = Failure(422, "Invalid event")
UNKNOWN_ARM = Failure(422, "Unknown arm")
CANNOT_ANSWER = Failure(422, "Cannot be answered")
TOO_MANY_REQUESTS = Failure(429, "Too many requests", {"Retry-After": "1"})
INTERNAL_ERROR = Failure(500, "Internal error")
BUSY = Failure(503, "Busy", {"Retry-After": "1"})
TOO_SLOW = Failure(503, "Too slow", {"Retry-After": "1"})
NO_EVENT_STORE = Failure(503, "Event store unavailable", {"Retry-After": "2"})

EXAMPLES = {
    400: (INVALID_JSON, "Invalid JSON: EOF while parsing a value at line 1 column 0."),
    401: (UNAUTHORIZED, "Send the server's token: Authorization: Bearer TOKEN."),
    403: (OTHER_SITE, "A page of https://example.com sent this. Send it from a server."),
    404: (UNKNOWN_USER, "user 'nobody' is not known and has no events."),
    408: (SLOW_BODY, "The body took more than 5 seconds."),
    413: (BODY_TOO_LARGE, "The body has more than 1,048,576 bytes. Send fewer requests in one body."),
    422: (CANNOT_ANSWER, "domain 'serch' is not one of search, feed. Did you mean 'search'?"),
    429: (TOO_MANY_REQUESTS, "More than 50 requests per second. Retry in 0.4 seconds."),
    500: (INTERNAL_ERROR, "KeyError: a fault of the server, whose log has it."),
    503: (BUSY, "66 requests are queued or being answered. Retry in a second."),
}
"""An example of each status: a failure and its detail."""

DESCRIPTIONS = {
    400: "The body is not JSON.",
    401: "The bearer token is missing or wrong.",
    403: "A browser sent this for a page of another site.",
    404: "The user is unknown.",
    408: "The body did not come in time.",
    413: "The body is too large.",
    422: "The request does not match the schema, or names an unknown domain, user, arm, attribute or context feature. "
    "The detail names the key, the value and the remedy.",
    429: "This client sends more requests than the server takes from one.",
    500: "A fault of the server that nobody foresaw; its log has the traceback.",
    503: "The server is busy, timed out, or cannot reach the event store.",
    "WWW-Authenticate": "The authentication scheme: Bearer.",
    "Connection": "The server closes the connection: close.",
    "Retry-After": "Seconds to wait before the next try.",
}
"""Meaning of each status and header."""


class Problem(Strict):
    """Why a request failed (RFC 9457)."""

    type: str = Field(description="Always `about:blank`: the status says what kind of problem it is.")
    title: str = Field(description="The kind of failure, in a few words.")
    status: int = Field(description="The HTTP status, repeated.")
    detail: str = Field(description="What is wrong with this request, and how to fix it.")


class ProblemError(Exception):
    """A request that fails in one of the ways of the table; `detail` says what is wrong and how to fix it."""

    def __init__(self, failure: Failure, detail: str) -> None:
        super().__init__(detail)
        self.failure, self.detail = failure, detail

    def body(self) -> dict[str, Any]:
        """Problem details, as `Problem` describes them."""
        status, title, _ = self.failure
        return {"type": "about:blank", "title": title, "status": status, "detail": self.detail}

    def as_http(self) -> bytes:
        """The whole response, for a request that is refused before any application has it."""
        content = orjson.dumps(self.body())
        headers = {"content-type": PROBLEM_JSON, "content-length": len(content), **self.failure.headers}
        lines = [f"HTTP/1.1 {self.failure.status} {HTTPStatus(self.failure.status).phrase}"]
        lines += [f"{name.lower()}: {value}" for name, value in headers.items()]
        return "\r\n".join([*lines, "", ""]).encode() + content


def validation_problem(errors: Sequence[Mapping[str, Any]]) -> ProblemError:
    """The problem of a body or query that pydantic rejected, from its errors: invalid JSON or an invalid request."""
    if errors[0]["type"] == "json_invalid":
        return ProblemError(INVALID_JSON, f"{errors[0]['msg']}.")
    lines = [f"{'.'.join(map(str, error['loc'])) or 'the body'}: {error['msg']}" for error in errors[:MAX_LISTED]]
    rest = f" And {len(errors) - MAX_LISTED} more." if len(errors) > MAX_LISTED else ""
    return ProblemError(INVALID_REQUEST, f"{'. '.join(lines)}.{rest} The schema is at GET /openapi.json.")


def problem_responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """OpenAPI responses of a route that may fail with these statuses."""
    schema = {"$ref": SCHEMA_REF.format(model=Problem.__name__)}
    responses: dict[int | str, dict[str, Any]] = {}
    for status in statuses:
        failure, detail = EXAMPLES[status]
        responses[status] = {
            "description": DESCRIPTIONS[status],
            "content": {PROBLEM_JSON: {"schema": schema, "example": ProblemError(failure, detail).body()}},
            "headers": {
                name: {"description": DESCRIPTIONS[name], "schema": {"type": "string"}} for name in failure.headers
            },
        }
    return responses
