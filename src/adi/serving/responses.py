"""What the routes beside those of `messages` answer, for the interface's description; nothing is checked against it
but by the tests, as answers are written without a model of them.
"""

from typing import Any, Literal

from pydantic import Field

from adi.schema import Strict


class UserIds(Strict):
    """Ids of users."""

    users: list[str] = Field(description="In the order of their UTF-8 bytes.")


class ItemIds(Strict):
    """Ids of items, of whatever domain."""

    items: list[str] = Field(description="In the order of their UTF-8 bytes.")


class Past(Strict):
    """One thing that a user did."""

    item: str = Field(description="The item's id.")
    domain: str = Field(description="The domain it was taken in.")
    since: bool = Field(description="Whether it came as an event, since the export.")


class History(Strict):
    """What a user did."""

    user: str = Field(description="The user's id.")
    known: bool = Field(description="Whether the bundle knows the user; if not, all came as events.")
    total: int = Field(description="How much the user did; `history` has the latest 50.")
    history: list[Past] = Field(description="Newest first.")
    without_events: bool = Field(
        description="True where the store of events did not answer: what came since the export is missing here."
    )


class Attributes(Strict):
    """Attributes of items in a domain."""

    items: dict[str, dict[str, Any]] = Field(description="By id, each attribute by its name; null where it is missing.")
    unknown: list[str] = Field(description="Ids that the bundle does not know.")


class DomainSizes(Strict):
    """The domains of the live bundle."""

    version: str = Field(description="The live bundle's version.")
    arm: str | None = Field(description="Its arm in the experiment; null where none is served.")
    items: dict[str, int] = Field(description="By domain, how many items can be retrieved there.")


class CurvePoint(Strict):
    """What reading so many lists of an index finds and takes."""

    nprobe: int = Field(description="Lists read.")
    recall: float = Field(description="Mean share of the exact top k that is found, 0 to 1.")
    p50_ms: float = Field(description="Median time of one query on one thread, in milliseconds.")
    p99_ms: float = Field(description="99th percentile of it, in milliseconds.")


class Reach(Strict):
    """How many lists other depths than the tuned one need."""

    depth: int = Field(description="How deep the ranking goes, in items.")
    nprobe: int = Field(description="Lists read that find it as well as the tuned number finds the top k.")
    probes: list[int] = Field(description="Lists that hold rising shares of it.")


class Bids(Strict):
    """What was checked of a domain's bids: at each weight, the share of the exact top k that is found."""

    queries: int = Field(description="Real queries that it was checked on.")
    weights: list[float] = Field(description="At the second, bids spread the items' scores as far as the model does.")
    recalls: list[float] = Field(description="At each weight, the mean share of the exact top k, 0 to 1.")


class Index(Strict):
    """A domain's index, what was measured of it, and of the bundle against the run."""

    format: int = Field(description="The layout of its files.")
    kind: Literal["exact", "ivf"] = Field(description="Every vector compared, or lists of them.")
    items: int = Field(description="Vectors in it.")
    dim: int = Field(description="Components of a vector.")
    k: int = Field(description="The depth of the top that was compared, in items.")
    target: float = Field(description="The share of the exact top k that was asked for, 0 to 1.")
    recall: float = Field(description="The mean share of the evaluator's top k that the index returned, 0 to 1.")
    nlist: int | None = Field(description="Lists; null for an exact index.")
    nprobe: int | None = Field(description="Lists read in a search; null for an exact index.")
    tuned_on: int = Field(description="Queries that chose `nprobe`.")
    confirmed_on: int = Field(description="Other queries, that confirmed it.")
    curve: list[CurvePoint] = Field(description="Recall against time, on the queries it was tuned on.")
    reach: list[Reach] = Field(description="Lists that other depths need.")
    seed: int = Field(description="Of the choice of centroids and queries.")
    faiss: str = Field(description="The version of faiss that built it.")
    bytes: int = Field(description="The size of its vectors' file, in bytes.")
    queries: int = Field(description="Real queries that the bundle was compared with the run on.")
    vectors: float = Field(
        description="The largest difference of a user vector's component from the model's, over the largest component."
    )
    bids: Bids | None = Field(description="What was checked of its bids; null where the bundle has none.")


class Run(Strict):
    """The run that a bundle was made of; null where it does not say."""

    seed: int | None = Field(description="Of the training.")
    created: str | None = Field(description="When it was trained, ISO 8601.")
    parameters: int | None = Field(description="Of the model.")
    config: dict[str, Any] | None = Field(description="Settings of model and training.")
    metrics: dict[str, Any] | None = Field(description="On its test; null where it was not evaluated.")
    interest: dict[str, Any] | None = Field(description="By side, the weight of each feature in each domain.")


class ContextFeature(Strict):
    """A feature that a request may give in `context`."""

    name: str = Field(description="Its key there.")
    number: bool = Field(description="Whether its values are numbers.")
    values: list[str] = Field(description="The first 200 that it was trained on; none of a number.")


class About(Strict):
    """The live bundle."""

    version: str = Field(description="A digest of its files.")
    arm: str | None = Field(description="Its arm in the experiment; null where none is served.")
    arms: list[str] | None = Field(description="All arms of the experiment; null where none is served.")
    domains: list[str] = Field(description="In the order of the model.")
    format: int = Field(description="The layout of its files.")
    adi: str = Field(description="The version of adi that exported it.")
    created: str = Field(description="When it was exported, ISO 8601.")
    model: str = Field(description="The kind of model.")
    fingerprint: str = Field(description="Of the prepared dataset.")
    bid: str | None = Field(description="The attribute that its bids are from; null where it has none.")
    versions: dict[str, str] = Field(description="Of the packages that it was made with.")
    indexes: dict[str, Index] = Field(description="By domain.")
    run: Run = Field(description="What it was made of.")
    context: list[ContextFeature] = Field(description="What `context` may give.")
    attributes: dict[str, list[str]] = Field(description="By domain, the attributes that a `filter` may ask for.")


class Up(Strict):
    """The process is up."""

    status: Literal["up"] = Field(description="Always `up`.")


class Ready(Strict):
    """A bundle is live."""

    status: Literal["ready"] = Field(description="Always `ready`.")
    version: str = Field(description="The live bundle's version; the control's in an experiment.")
