"""What goes over HTTP: requests as they are checked, answers, and faults as problem details (RFC 9457)."""

from collections.abc import Callable, Mapping
from typing import Annotated, Any, TypeVar

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError, field_validator

from adi.retrieval.stages import lap
from adi.schema import Strict

MOST_ITEMS = 1000
MOST_HISTORY = 1000
MOST_EXCLUDED = 10_000
MOST_AT_ONCE = 64
MOST_SUGGESTED = 100

Message = TypeVar("Message")

Id = Annotated[str, Field(min_length=1, max_length=512)]


class Ask(Strict):
    """A request for the top-K of one user, in every domain or in those of `domains`.

    `user` is an id that the bundle knows, or any with a `history` (item ids, oldest first, taken as behaviours in the
    domain that is asked), which takes the place of a known user's. `context` has what is known at the moment, by the
    names of the context features. The items of the history are left out if `exclude_seen`, by default unless the data
    has repeats; those of `exclude` always. `filter` is a condition on the items' attributes in the domain.
    """

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"user": "1", "domains": ["search"], "k": 5}, {"history": ["3", "99"], "k": 5}]}
    )

    user: Id | None = None
    domains: Annotated[list[Id], Field(min_length=1, max_length=1000)] | None = None
    k: int = Field(10, ge=1, le=MOST_ITEMS, description="How many items of each domain.")
    history: Annotated[list[Id], Field(max_length=MOST_HISTORY)] | None = None
    context: dict[str, str] = Field(default_factory=dict, max_length=1000)
    exclude: list[Id] = Field(default_factory=list, max_length=MOST_EXCLUDED)
    exclude_seen: bool | None = None
    filter: Annotated[str, Field(max_length=2000)] | None = None

    @field_validator("context", mode="before")
    @classmethod
    def _as_text(cls, values: object) -> object:
        """Numbers are taken as their text, which is what the log holds."""
        if not isinstance(values, dict):
            return values
        return {key: str(own) if type(own) in (int, float) else own for key, own in values.items()}


class AskMany(Strict):
    """Several requests, answered in order by the same bundle."""

    requests: Annotated[list[Ask], Field(min_length=1, max_length=MOST_AT_ONCE)]


class Answer(Strict):
    """The best items of a domain, best first; scores are inner products, to compare within one list alone."""

    items: list[str]
    scores: list[float]


class Answers(Strict):
    """The answer to one request, by domain; `ignored` are the ids of items that the bundle does not know.

    `without_events`: the store of users' events did not answer, so what the user did since the export was left out.
    """

    domains: dict[str, Answer]
    ignored: list[str]
    without_events: bool


class Retrieved(Strict):
    """`version` is that of the bundle which answered; `results` has one for each request."""

    version: str
    results: list[Answers]


class Event(Strict):
    """A user took an item in a domain."""

    item: Id
    domain: Id


class Events(Strict):
    """What a user did, oldest first, since the bundle was made or the last call."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"user": "1", "events": [{"item": "3", "domain": "search"}]}]}
    )

    user: Id
    events: Annotated[list[Event], Field(min_length=1, max_length=MOST_HISTORY)]


class Prefix(Strict):
    """Asks for the first `limit` ids, in the order of their UTF-8 bytes, that start with `prefix`."""

    prefix: str = Field("", max_length=512)
    limit: int = Field(20, ge=1, le=MOST_SUGGESTED)


class AskItems(Strict):
    """Asks for the attributes of items as they are in a domain."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"domain": "search", "items": ["3", "99"]}]})

    domain: Id
    items: Annotated[list[Id], Field(max_length=MOST_ITEMS)]


class ProblemError(Exception):
    """A request that is not answered: `title` names the kind of fault, `detail` says what and how to mend it."""

    def __init__(self, status: int, title: str, detail: str, *, headers: dict[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status, self.title, self.detail, self.headers = status, title, detail, headers or {}

    def body(self) -> dict[str, Any]:
        return {"type": "about:blank", "title": self.title, "status": self.status, "detail": self.detail}


def read_asks(body: bytes) -> list[Ask]:
    """The requests of a body, which is one (`Ask`) or several (`AskMany`); raises `ProblemError` for any other."""
    # Cheap, and wrong only for a text that holds the word: the message is then of the other kind.
    return _read(_MANY, body).requests if b'"requests"' in body else [_read(_ONE, body)]


def read_events(body: bytes) -> Events:
    """The events of a body; raises `ProblemError` for any other."""
    return _read(_EVENTS, body)


def read_prefix(query: Mapping[str, str]) -> Prefix:
    """The prefix of a URL's query; raises `ProblemError` for any other."""
    return _checked(lambda: _PREFIX.validate_python(dict(query)))


def read_items(body: bytes) -> AskItems:
    """The items that a body asks for; raises `ProblemError` for any other."""
    return _read(_ITEMS, body)


def _read(kind: TypeAdapter[Message], body: bytes) -> Message:
    return _checked(lambda: kind.validate_json(body))


def _checked(read: Callable[[], Message]) -> Message:
    try:
        return read()
    except ValidationError as error:
        faults = error.errors(include_url=False, include_context=False, include_input=False)
    finally:
        lap("read")
    if faults[0]["type"] == "json_invalid":
        raise ProblemError(400, "Not JSON", f"{faults[0]['msg']}.")
    told = [f"{'.'.join(map(str, fault['loc'])) or 'the body'}: {fault['msg']}" for fault in faults[:5]]
    more = f" And {len(faults) - 5} more." if len(faults) > 5 else ""
    raise ProblemError(422, "Not as the schema says", f"{'. '.join(told)}.{more} GET /openapi.json has the schema.")


_ONE, _MANY, _EVENTS = TypeAdapter(Ask), TypeAdapter(AskMany), TypeAdapter(Events)
_PREFIX, _ITEMS = TypeAdapter(Prefix), TypeAdapter(AskItems)
