"""Schemas of requests, and their parsing.

Lists fail at their first fault: to describe a body that is wrong in 300,000 places would hold the server for seconds.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, TypeVar

from pydantic import BeforeValidator, Field, ValidationError, WithJsonSchema

from adi.data.bids import MOST_WEIGHT
from adi.serving.problems import validation_problem
from adi.strict import Strict
from adi.timing import lap

MAX_ITEMS = 1000
MAX_HISTORY = 1000
MAX_EXCLUDED = 10_000
MAX_BATCH = 64
MAX_IDS = 100
MAX_CONTEXT = 1000

ARM_HEADER = "X-Adi-Arm"
ARM_HELP = "The arm of the experiment that is to answer, instead of the user's arm (or the control, without a user)."

SHARD_HEADER = "X-Adi-Shard"
SHARD_HELP = "The shard of the items that the lists are from, such as 1/4. Left out by a server of all items."

Id = Annotated[str, Field(min_length=1, max_length=512)]
ContextValue = Annotated[str, WithJsonSchema({"type": ["string", "number"]})]


def _as_text(values: object) -> object:
    """Convert numbers to text, the form in which the log holds them."""
    if not isinstance(values, dict):
        return values
    if len(values) > MAX_CONTEXT:
        raise ValueError(f"at most {MAX_CONTEXT} features; {len(values)} were given")
    return {name: str(value) if type(value) in (int, float) else value for name, value in values.items()}


Context = Annotated[dict[str, ContextValue], BeforeValidator(_as_text), Field(max_length=MAX_CONTEXT)]


class RetrieveRequest(Strict):
    """A request for the top-K items of one user, in all domains or in some."""

    user: Id | None = Field(
        None, description="An id. A user whom the bundle does not know needs a `history`, or events."
    )
    domains: Annotated[list[Id], Field(min_length=1, max_length=1000, fail_fast=True)] | None = Field(
        None, description="The domains to answer for; all by default."
    )
    k: int = Field(10, ge=1, le=MAX_ITEMS, description="Items to return for each domain.")
    history: Annotated[list[Id], Field(max_length=MAX_HISTORY, fail_fast=True)] | None = Field(
        None,
        description="Item ids, oldest first, read as behaviours in each requested domain. Replaces a known user's "
        "history and events.",
    )
    context: Context = Field(
        default_factory=dict,
        description="Current values of context features, by name; features left out are missing.",
    )
    exclude: list[Id] = Field(
        fail_fast=True,
        default_factory=list,
        max_length=MAX_EXCLUDED,
        description="Ids of items to leave out of the lists.",
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
        description="Items are ranked by score + `bid_weight` · log bid in the domain; needs a bundle with bids.",
    )
    explain: bool = Field(
        False, description="Whether to divide each score into taste, trend, co-clicks and bid; of a bundle with trends."
    )
    preview: bool = Field(False, description="Marks a list that no user will see: it is not logged as an exposure.")


class RetrieveBatchRequest(Strict):
    """Several requests, answered in order; all requests of one arm are answered by the same bundle."""

    requests: Annotated[
        list[RetrieveRequest],
        Field(min_length=1, max_length=MAX_BATCH, description="The requests, one user each.", fail_fast=True),
    ]


class UserEvent(Strict):
    """An interaction of a user with an item in a domain."""

    item: Id = Field(description="The item's id; the item may be newer than the bundle.")
    domain: Id = Field(description="A domain of the live bundle.")
    time: datetime | float | None = Field(
        None,
        description="When it happened, for counters of what is clicked now: ISO 8601, in UTC unless it has an offset, "
        "or a number where the time of the bundle's log is one. By default now.",
    )
    context: Context = Field(
        default_factory=dict,
        description="The context in which it happened, as in a request for lists. It says who clicks what now, for the "
        "audiences of items; histories do not keep it.",
    )


class EventsRequest(Strict):
    """New events of one user."""

    user: Id = Field(description="The user's id; the bundle need not know it.")
    events: Annotated[
        list[UserEvent], Field(min_length=1, max_length=MAX_HISTORY, description="Oldest first.", fail_fast=True)
    ]


class PrefixQuery(Strict):
    """A query for ids by prefix."""

    prefix: str = Field("", max_length=512, description="Start of the ids; upper and lower case differ.")
    limit: int = Field(20, ge=1, le=MAX_IDS, description="Ids to return at most, in the order of their UTF-8 bytes.")


class TrendingQuery(Strict):
    """A query for the items of a domain that are clicked most now."""

    domain: Id = Field(description="A domain of the live bundle.")
    half_life: Annotated[str, Field(min_length=1, max_length=100)] | None = Field(
        None, description="A half-life of the bundle's counters, such as `30m`; by default the middle one."
    )
    k: int = Field(20, ge=1, le=MAX_ITEMS, description="Items to return at most.")


class ItemsRequest(Strict):
    """A request for the attributes of items in a domain."""

    domain: Id = Field(description="A domain of the live bundle.")
    items: Annotated[list[Id], Field(max_length=MAX_ITEMS, description="Item ids.", fail_fast=True)]


_STARTS_BATCH = re.compile(rb'\s*\{\s*"requests"\s*:')  # the only key of a batch, and no key of a request

Schema = TypeVar("Schema", bound=Strict)


def parse(schema: type[Schema], content: bytes) -> Schema:
    """Parse a JSON body; raises `ProblemError` if it is not JSON or does not match the schema."""
    try:
        return schema.model_validate_json(content)
    except ValidationError as error:
        errors = error.errors(include_url=False, include_context=False, include_input=False)
        raise validation_problem(errors) from None
    finally:
        lap("read")


@dataclass(frozen=True)
class RetrieveCall:
    """The requests of one HTTP call, and the arm that its header names to answer all of them."""

    requests: Sequence[RetrieveRequest]
    arm: str | None = None


def parse_call(content: bytes, arm: str | None = None) -> RetrieveCall:
    """Parse a body with one request or a batch; raises `ProblemError` as `parse` does."""
    if _STARTS_BATCH.match(content):
        return RetrieveCall(parse(RetrieveBatchRequest, content).requests, arm)
    return RetrieveCall([parse(RetrieveRequest, content)], arm)
