"""Schemas of responses. Responses are written without them, for speed; tests compare the two."""

from typing import Any, Literal

from pydantic import ConfigDict, Field
from pydantic.config import JsonValue

from adi.bundle.manifest import Parity
from adi.index.card import IndexCard
from adi.strict import Strict


def _example(**values: JsonValue) -> ConfigDict:
    """Configuration of a schema with an example."""
    return ConfigDict(json_schema_extra={"examples": [values]})


class RankedItems(Strict):
    """The top items of a domain, best first."""

    items: list[str] = Field(description="Their ids.")
    scores: list[float] = Field(
        description="Their scores: inner products plus weighted log bids. Scores of different lists do not compare."
    )
    parts: dict[str, list[float]] | None = Field(
        None,
        description="With `explain`: the parts of which each score is the sum. Of a bundle with trends taste, trend, "
        "co_clicks and bid; of one with a blend taste, neighbours (similar items, what follows, and where "
        "items repeat the item itself) and bid; null for others.",
    )


class RetrieveResult(Strict):
    """The answer to one request."""

    version: str = Field(description="Version of the bundle that answered, the same for all results of an arm.")
    arm: str | None = Field(description="Arm of the experiment that answered; null without an experiment.")
    domains: dict[str, RankedItems] = Field(description="Ranked items by domain.")
    ignored: list[str] = Field(description="Item ids of `history` and `exclude` that the bundle does not know.")
    without_events: bool = Field(
        description="True if the event store did not answer, so that the user's events since the export are missing."
    )
    without_trends: bool = Field(
        description="True if the counters of clicks are away, so that lists are by taste alone."
    )


class RetrieveResponse(Strict):
    """The answers to all requests of a body."""

    model_config = _example(
        results=[
            {
                "version": "1c0218facc91",
                "arm": "control",
                "domains": {"search": {"items": ["4086", "4356"], "scores": [2.71, 2.64]}},
                "ignored": [],
                "without_events": False,
                "without_trends": False,
            }
        ]
    )

    results: list[RetrieveResult] = Field(description="One result for each request, in order.")


class UserIdsResponse(Strict):
    """Ids of users."""

    model_config = _example(users=["1", "10", "100"])

    users: list[str] = Field(description="Ids in the order of their UTF-8 bytes.")


class ItemIdsResponse(Strict):
    """Ids of items in any domain."""

    model_config = _example(items=["3", "30"])

    items: list[str] = Field(description="Ids in the order of their UTF-8 bytes.")


class PastEvent(Strict):
    """An interaction in a user's history."""

    item: str = Field(description="The item's id.")
    domain: str = Field(description="The domain of the interaction.")
    since: bool = Field(description="True for an event since the export, false for one in the bundle's data.")


class UserHistoryResponse(Strict):
    """A user's history."""

    model_config = _example(
        user="1",
        known=True,
        total=1,
        history=[{"item": "3", "domain": "search", "since": False}],
        without_events=False,
    )

    user: str = Field(description="The user's id.")
    known: bool = Field(description="Whether the bundle knows the user; if not, the whole history is new events.")
    total: int = Field(description="Length of the full history; `history` has the latest 50.")
    history: list[PastEvent] = Field(description="Newest first.")
    without_events: bool = Field(
        description="True if the event store did not answer, so that events since the export are missing."
    )


class ItemAttributesResponse(Strict):
    """Attributes of items in a domain."""

    model_config = _example(items={"3": {"category": "toys", "bid": 0.5}}, unknown=["99"])

    items: dict[str, dict[str, Any]] = Field(description="Attributes by item id and name; null where missing.")
    unknown: list[str] = Field(description="Ids that the bundle does not know.")


class TrendingItem(Strict):
    """An item that is clicked now."""

    item: str = Field(description="The item's id.")
    count: float = Field(description="Its decayed clicks in the domain: a click counts half after one half-life.")
    share: float = Field(description="Its share of the domain's decayed clicks, 0 to 1.")
    age: float = Field(
        description="Time since its first click in any domain: seconds, or where the time of the bundle's log is a "
        "number, in the unit of that."
    )


class TrendingResponse(Strict):
    """The items of a domain that are clicked most now."""

    model_config = _example(
        domain="search",
        half_life="30m",
        half_lives=["3m", "30m", "4h"],
        moment="2026-11-28T12:00:00+00:00",
        available=True,
        items=[{"item": "4086", "count": 41.5, "share": 0.083, "age": 5400.0}],
    )

    domain: str = Field(description="The domain.")
    half_life: str = Field(description="The half-life by which clicks are counted.")
    half_lives: list[str] = Field(description="All half-lives of the bundle's counters, ascending.")
    moment: str | float = Field(
        description="Clicks before this moment are counted: ISO 8601, or a number where the time of the bundle's log "
        "is one."
    )
    available: bool = Field(
        description="False while clicks may be missing, since a source of clicks does not answer; lists then come "
        "without trends."
    )
    items: list[TrendingItem] = Field(
        description="Those that can be retrieved and have at least a hundredth of a click, most clicks first."
    )


class DomainsResponse(Strict):
    """The domains of the live bundle."""

    version: str = Field(description="The live bundle's version.")
    arm: str | None = Field(description="The bundle's arm in the experiment; null without an experiment.")
    items: dict[str, int] = Field(description="Number of items that can be retrieved, by domain.")


class BidsSummary(Strict):
    """Recall of a domain's index under bids, measured before export."""

    queries: int = Field(description="Real queries of the measurement.")
    weights: list[float] = Field(description="Bid weights. At the second, bids spread scores as far as the model does.")
    recalls: list[float] = Field(description="Mean recall of the exact top k at each weight, 0 to 1.")


class IndexSummary(Parity, IndexCard):
    """A domain's index, with its measurements and the comparison of the bundle with its run."""

    bids: BidsSummary | None = Field(description="Measurements under bids; null for a bundle without bids.")


class RunSummary(Strict):
    """The run that the bundle was exported from; fields that the run does not have are null."""

    seed: int | None = Field(description="Seed of the training.")
    created: str | None = Field(description="Time of the training, ISO 8601.")
    parameters: int | None = Field(description="Number of the model's parameters.")
    config: dict[str, Any] | None = Field(description="Settings of model and training.")
    metrics: dict[str, Any] | None = Field(description="Metrics on the test set; null for a run without evaluation.")
    interest: dict[str, Any] | None = Field(description="Weight of each feature in each domain, by side.")


class ContextFeature(Strict):
    """A feature whose value a request may give in `context`."""

    name: str = Field(description="Key in `context`.")
    number: bool = Field(description="Whether the values are numbers.")
    values: list[str] = Field(description="The first 200 values seen in training; empty for numbers.")


class ItemDisplay(Strict):
    """The attributes that show an item to people."""

    title: str | None = Field(description="Attribute with the title; null where there is none.")
    image: str | None = Field(description="Attribute with the URL of a picture; null where there is none.")


class BundleResponse(Strict):
    """The live bundle."""

    version: str = Field(description="Digest of the bundle's files.")
    arm: str | None = Field(description="The bundle's arm in the experiment; null without an experiment.")
    arms: list[str] | None = Field(description="All arms of the experiment; null without an experiment.")
    domains: list[str] = Field(description="Domains that are served, in the order of the model.")
    shard: str | None = Field(description="Shard of the items that is served, such as 1/4; null for all items.")
    format: int = Field(description="Version of the bundle's file layout.")
    adi: str = Field(description="Version of adi that exported the bundle.")
    created: str = Field(description="Time of the export, ISO 8601.")
    model: str = Field(description="Name of the model.")
    fingerprint: str = Field(description="Fingerprint of the prepared dataset.")
    bid: str | None = Field(description="Item attribute with the bids; null for a bundle without bids.")
    blend: dict[str, tuple[float, float, float, float, float, float]] | None = Field(
        description="Weights of the added scores of each domain: of similar items, counted in all domains and in this "
        "one, likewise of the history's own items, and of what follows; null for a bundle without a blend."
    )
    half_lives: list[str] | None = Field(
        description="Half-lives of the counters of clicks, ascending; null for a bundle without trends."
    )
    versions: dict[str, str] = Field(description="Versions of the packages that made the bundle.")
    indexes: dict[str, IndexSummary] = Field(description="Indexes by domain.")
    run: RunSummary = Field(description="The run that was exported.")
    context: list[ContextFeature] = Field(description="Features whose values `context` may give.")
    attributes: dict[str, list[str]] = Field(description="Attributes that a `filter` may use, by domain.")
    display: ItemDisplay | None = Field(
        description="Attributes that show an item to people (`display` in the schema); null where it names none."
    )


class HealthResponse(Strict):
    """Liveness of the process."""

    status: Literal["up"] = Field(description="Always `up`.")


class ReadinessResponse(Strict):
    """Readiness: a bundle is live."""

    status: Literal["ready"] = Field(description="Always `ready`.")
    version: str = Field(description="The live bundle's version; the control's in an experiment.")
    domains: list[str] = Field(description="Domains that are served.")
    shard: str | None = Field(description="Shard of the items that is served, such as 1/4; null for all items.")
    watch: str | None = Field(
        description="`watching`, or why the last look at the watched folder failed; null if none is watched."
    )
