"""What goes over HTTP: requests as they are checked, answers, and faults as problem details (RFC 9457)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from pydantic import Field, TypeAdapter, ValidationError, WithJsonSchema, field_validator

from adi.data.bids import MOST_WEIGHT
from adi.schema import Strict
from adi.timing import lap

MOST_ITEMS = 1000
MOST_HISTORY = 1000
MOST_EXCLUDED = 10_000
MOST_AT_ONCE = 64
MOST_SUGGESTED = 100

ARM_HEADER = "X-Adi-Arm"

Message = TypeVar("Message")

Id = Annotated[str, Field(min_length=1, max_length=512)]
Value = Annotated[str, WithJsonSchema({"type": ["string", "number"]})]


class Ask(Strict):
    """A request for the top-K of one user, in every domain or in some."""

    user: Id | None = Field(None, description="An id that the bundle knows. Any other needs a `history`, or events.")
    domains: Annotated[list[Id], Field(min_length=1, max_length=1000)] | None = Field(
        None, description="The domains to answer for; all where it is left out."
    )
    k: int = Field(10, ge=1, le=MOST_ITEMS, description="How many items of each domain.")
    history: Annotated[list[Id], Field(max_length=MOST_HISTORY)] | None = Field(
        None,
        description="Ids of items, oldest first, taken as behaviours in the domain that is asked. It takes the place "
        "of a known user's history and events.",
    )
    context: dict[str, Value] = Field(
        default_factory=dict,
        max_length=1000,
        description="Values of context features at the moment, by name; those left out are missing.",
    )
    exclude: list[Id] = Field(
        default_factory=list, max_length=MOST_EXCLUDED, description="Ids of items to leave out of the lists."
    )
    exclude_seen: bool | None = Field(
        None, description="Whether to leave out the items of the history; by default unless the data has repeats."
    )
    filter: Annotated[str, Field(max_length=2000)] | None = Field(
        None, description="A condition on the items' attributes in the domain: `category = 'toys' and bid >= 0.5`."
    )
    bid_weight: float = Field(
        0.0,
        ge=0,
        le=MOST_WEIGHT,
        allow_inf_nan=False,
        description="The items are the best by score + `bid_weight` · log bid in the domain, of a bundle with bids.",
    )
    preview: bool = Field(False, description="For a list that no user is to see: it is not logged as an exposure.")

    @field_validator("context", mode="before")
    @classmethod
    def _as_text(cls, values: object) -> object:
        """Numbers are taken as their text, which is what the log holds."""
        if not isinstance(values, dict):
            return values
        return {key: str(own) if type(own) in (int, float) else own for key, own in values.items()}


class AskMany(Strict):
    """Several requests, answered in order, all of one arm by the same bundle."""

    requests: Annotated[list[Ask], Field(min_length=1, max_length=MOST_AT_ONCE, description="Each of one user.")]


class Answer(Strict):
    """The best items of a domain, best first."""

    items: list[str] = Field(description="Their ids.")
    scores: list[float] = Field(
        description="Their scores: inner products, and what bids add; to compare within this list alone."
    )


class Answers(Strict):
    """The answer to one request."""

    version: str = Field(description="That of the bundle which answered. All results of one arm have the same.")
    arm: str | None = Field(description="The arm of the experiment that answered; null where none is served.")
    domains: dict[str, Answer] = Field(description="By domain.")
    ignored: list[str] = Field(description="Ids of items, in `history` and `exclude`, that the bundle does not know.")
    without_events: bool = Field(
        description="True where the store of users' events did not answer, so that what the user did since the export "
        "was left out."
    )


class Retrieved(Strict):
    """The answers to all requests of a body."""

    results: list[Answers] = Field(description="One for each request, in their order.")


class Event(Strict):
    """A user took an item in a domain."""

    item: Id = Field(description="The item's id; it may be newer than the bundle.")
    domain: Id = Field(description="A domain of the live bundle.")


class Events(Strict):
    """What a user did since the export, or since the last call."""

    user: Id = Field(description="An id, of a user whom the bundle knows or of another.")
    events: Annotated[list[Event], Field(min_length=1, max_length=MOST_HISTORY, description="Oldest first.")]


class Prefix(Strict):
    """Asks for the first ids that start with a text."""

    prefix: str = Field("", max_length=512, description="How the ids start, to the letter.")
    limit: int = Field(20, ge=1, le=MOST_SUGGESTED, description="How many ids, in the order of their UTF-8 bytes.")


class AskItems(Strict):
    """Asks for the attributes of items as they are in a domain."""

    domain: Id = Field(description="A domain of the live bundle.")
    items: Annotated[list[Id], Field(max_length=MOST_ITEMS, description="Ids of items.")]


class Problem(Strict):
    """Why a request is not answered (RFC 9457)."""

    type: str = Field(description="Always `about:blank`: the status says what kind of problem it is.")
    title: str = Field(description="The kind of fault, in a few words.")
    status: int = Field(description="The HTTP status, again.")
    detail: str = Field(description="What is wrong with this request, and how to mend it.")


class ProblemError(Exception):
    """A request that is not answered: `title` names the kind of fault, `detail` says what and how to mend it."""

    def __init__(self, status: int, title: str, detail: str, *, headers: dict[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status, self.title, self.detail, self.headers = status, title, detail, headers or {}

    def body(self) -> dict[str, Any]:
        return {"type": "about:blank", "title": self.title, "status": self.status, "detail": self.detail}


@dataclass(frozen=True)
class Body:
    """The requests of one HTTP request, and the arm that is `named` to answer all of them, if any."""

    asks: Sequence[Ask]
    named: str | None = None


def read_body(content: bytes, named: str | None = None) -> Body:
    """A body of one request (`Ask`) or several (`AskMany`); raises `ProblemError` for any other."""
    # Cheap, and wrong only for a text that holds the word: the message is then of the other kind.
    asks = _read(_MANY, content).requests if b'"requests"' in content else [_read(_ONE, content)]
    return Body(asks, named)


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
