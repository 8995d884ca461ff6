"""What goes over HTTP: the requests as they are checked, and the faults as RFC 9457 problem details."""

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import ConfigDict, Field

from adi.schema import Strict

MOST_ITEMS = 1000
MOST_HISTORY = 1000
MOST_EXCLUDED = 10_000
MOST_AT_ONCE = 64

Id = Annotated[str, Field(min_length=1, max_length=512)]


class Ask(Strict):
    """A request for the top-K of one user.

    Without `domains` in every domain. `user` is an id that the bundle knows, or any with a `history` (item ids, oldest
    first; in the domain that is asked), which takes the place of a known user's. `context` has what is known at the
    moment, by the names of the context features. The items of the history are left out if `exclude_seen`, by default
    unless the data has repeats; those of `exclude` always.
    """

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"user": "1", "domains": ["search"], "k": 5}, {"history": ["3", "99"], "k": 5}]}
    )

    user: Id | None = None
    domains: Annotated[list[Id], Field(min_length=1, max_length=1000)] | None = None
    k: int = Field(10, ge=1, le=MOST_ITEMS)
    history: Annotated[list[Id], Field(max_length=MOST_HISTORY)] | None = None
    context: dict[str, str | int | float | bool] = Field(default_factory=dict, max_length=1000)
    exclude: list[Id] = Field(default_factory=list, max_length=MOST_EXCLUDED)
    exclude_seen: bool | None = None


class AskMany(Strict):
    """Several requests, answered in order by the same bundle."""

    requests: Annotated[list[Ask], Field(min_length=1, max_length=MOST_AT_ONCE)]


class Answer(Strict):
    """The best items of a domain, best first; a score is an inner product, to compare within one list alone."""

    items: list[str]
    scores: list[float]


class Answers(Strict):
    """The answer to one request by domain; `ignored` are the ids of items that the bundle does not know."""

    domains: dict[str, Answer]
    ignored: list[str]


class Retrieved(Strict):
    """`version` is the bundle's that answered; one of `results` for each request."""

    version: str
    results: list[Answers]


@dataclass(frozen=True)
class ProblemError(Exception):
    """A request that cannot be answered (RFC 9457): `status` and `title` are of the kind, `detail` of this one."""

    status: int
    title: str
    detail: str
    retry_after: int | None = None

    def body(self) -> dict[str, Any]:
        return {"type": "about:blank", "status": self.status, "title": self.title, "detail": self.detail}
