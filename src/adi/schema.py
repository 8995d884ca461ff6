"""The schema: what the columns of the user's tables mean, as ``schema.yaml`` says it.

Paths are relative to the folder of the schema file. Every class refuses unknown keys, so that a misspelt option is an
error and not a default.
"""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from adi.durations import Duration
from adi.errors import AdiError, suggestion
from adi.moments import Moment, to_log_time
from adi.strict import NAMES, Strict, check_unique, read_yaml

Name = Annotated[str, Field(pattern=NAMES)]
"""The name of a feature or a table: letters, digits and underscores, since it becomes a file name."""


class Domains(Strict):
    """The column of the log that holds the domain, and the domains in their fixed order; by default all of the log.

    Rows of the domains in `leave_out` are set aside.
    """

    column: str
    values: tuple[str, ...] | None = None
    leave_out: tuple[str, ...] = ()

    @field_validator("values", "leave_out", mode="before")
    @classmethod
    def _as_text(cls, values: object) -> object:
        return tuple(str(value) for value in values) if isinstance(values, list | tuple) else values

    @field_validator("values")
    @classmethod
    def _distinct(cls, values: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if values is not None and (not values or len(set(values)) < len(values)):
            raise ValueError("domains must be one or more distinct values")
        return values

    @model_validator(mode="after")
    def _apart(self) -> "Domains":
        if both := [name for name in self.leave_out if name in (self.values or ())]:
            raise ValueError(f"'{both[0]}' is in values and in leave_out; remove it from one of them")
        return self


class Interactions(Strict):
    """The log: one row for each interaction of a user with an item in a domain. A log in memory needs no `path`.

    `duplicates` are rows that equal an earlier row in user, item, domain, time and context: ``keep`` or ``drop`` them.
    """

    path: str | None = None
    user: str
    item: str
    time: str | None = None
    positive: str | None = None
    duplicates: Literal["keep", "drop"] = "keep"


class Table(Strict):
    """A feature table. `key` is the user or item column, or that and the domain column, in this order.

    A table in memory needs no `path`.
    """

    path: str | None = None
    key: tuple[str, ...]

    @field_validator("key", mode="before")
    @classmethod
    def _as_tuple(cls, key: object) -> object:
        return (key,) if isinstance(key, str) else key

    @field_validator("key")
    @classmethod
    def _one_or_two(cls, key: tuple[str, ...]) -> tuple[str, ...]:
        if len(key) not in (1, 2):
            raise ValueError("a table's key is one column, or an id column and the domain column")
        return key


class Sourced(Strict):
    """A feature that is a column, of a feature table or, for the context, of the log."""

    name: Name
    table: str | None = None
    column: str | None = None

    @property
    def source_column(self) -> str:
        """The column's name, by default the feature's."""
        return self.column or self.name


class IdFeature(Strict):
    """The user's or item's own id."""

    name: Name
    kind: Literal["id"]
    min_count: int = Field(1, ge=1)
    hash_size: int | None = Field(None, ge=1)


class CategoricalFeature(Sourced):
    """One value of a finite set."""

    kind: Literal["categorical"]
    min_count: int = Field(1, ge=1)
    hash_size: int | None = Field(None, ge=1)


class MultiFeature(Sourced):
    """A list of values, or a text that `separator` cuts into one; their embeddings are averaged."""

    kind: Literal["multi"]
    separator: str | None = Field(None, min_length=1)
    min_count: int = Field(1, ge=1)
    hash_size: int | None = Field(None, ge=1)


class NumericFeature(Sourced):
    """A number, cut into buckets that are embedded as categories are."""

    kind: Literal["numeric"]
    buckets: int = Field(20, ge=2, le=1000)
    scale: Literal["quantile", "log"] = "quantile"


class BehavioursFeature(Strict):
    """The newest `length` of the user's earlier items; with ``domain: same`` only those of the sample's domain."""

    name: Name
    kind: Literal["behaviours"]
    length: int = Field(50, ge=1, le=1000)
    domain: Literal["all", "same"] = "all"


UserFeature = Annotated[
    IdFeature | CategoricalFeature | MultiFeature | NumericFeature | BehavioursFeature, Field(discriminator="kind")
]
ItemFeature = Annotated[IdFeature | CategoricalFeature | MultiFeature | NumericFeature, Field(discriminator="kind")]
ContextFeature = Annotated[CategoricalFeature | NumericFeature, Field(discriminator="kind")]
ColumnFeature = CategoricalFeature | MultiFeature | NumericFeature
Feature = IdFeature | ColumnFeature | BehavioursFeature


class Features(Strict):
    """The features of the user tower (user and context) and of the item tower, in the order of the model."""

    user: tuple[UserFeature, ...] = Field(min_length=1)
    item: tuple[ItemFeature, ...] = Field(min_length=1)
    context: tuple[ContextFeature, ...] = ()


class Corpus(Strict):
    """The table of the items that can be retrieved in each domain: one row for each item and domain."""

    path: str
    item: str
    domain: str


class Display(Strict):
    """The columns of a table of items by which people see an item: its title, and the URL of its picture."""

    table: str
    title: str | None = None
    image: str | None = None

    @model_validator(mode="after")
    def _shows_something(self) -> "Display":
        if self.title is None and self.image is None:
            raise ValueError("name a column of titles (title:), of URLs of pictures (image:), or both")
        return self


class HalfLives(Strict):
    """Counts that decay: `half_lives` are durations such as 30m, 3h or 1d, or numbers in the unit of the time."""

    half_lives: tuple[Duration, ...] = Field(min_length=1, max_length=8)

    @field_validator("half_lives")
    @classmethod
    def _distinct_lives(cls, half_lives: tuple[Any, ...]) -> tuple[Any, ...]:
        if len(set(half_lives)) < len(half_lives):
            raise ValueError("half-lives are distinct")
        return half_lives


class CoClicks(HalfLives):
    """Co-clicks of the `last` items of a history: the `window` newest clicks that followed each of these items.

    Items with less than `least_share` of these do not count.
    """

    last: int = Field(6, ge=1, le=50)
    window: int = Field(500, ge=1, le=100_000)
    least_share: float = Field(0.002, ge=0.0, lt=1.0)


class Audience(HalfLives):
    """The mean taste of the users who clicked an item, of whom the newest count most."""


class Trend(HalfLives):
    """Counters of each item's clicks by time, which know a click after `delay`."""

    delay: Duration
    co_clicks: CoClicks | None = None
    audience: Audience | None = None


class HeldOut(Strict):
    """Part of every split: the training rows that are held out for validation.

    By users, `validation` is the share of users whose last training row in each domain is held out. A domain in which
    these are fewer than `validation_least` rows draws as many users as that takes, half of them at most, and if these
    are too few, several last rows of each: ten at most, and half of the user's rows in the domain. By time, it is the
    share of the training rows that are newest: all rows from one moment on, so that rows of equal time stay together.
    """

    validation: float = Field(0.1, ge=0.0, le=0.5)
    validation_least: int = Field(1000, ge=0)
    validation_by: Literal["users", "time"] = "users"


class LastSplit(HeldOut):
    """Test rows: the last of each (user, domain), for users who keep at least one row in training."""

    kind: Literal["last"]


class TimeSplit(HeldOut):
    """Test rows: all at or after `at`, and before `until` if it is given; values of the type of the time column.

    Rows at or after `until` are set aside, as if the log ended there.
    """

    kind: Literal["time"]
    at: Moment
    until: Moment | None = None
    validation_by: Literal["users", "time"] = "time"

    @model_validator(mode="after")
    def _ends_after_it_begins(self) -> "TimeSplit":
        if self.until is None:
            return self
        if isinstance(self.at, int | float) != isinstance(self.until, int | float):
            raise ValueError(f"at ({self.at}) and until ({self.until}) are both numbers, or both dates or times")
        if not to_log_time(self.at) < to_log_time(self.until):
            raise ValueError(f"until ({self.until}) is to be later than at ({self.at})")
        return self


class RandomSplit(HeldOut):
    """Test rows: a random `share`."""

    kind: Literal["random"]
    share: float = Field(0.1, gt=0.0, lt=1.0)
    seed: int = 0


class FilesSplit(HeldOut):
    """Test rows: those of another file with the log's columns; all rows of the log are for training.

    `candidates` optionally restricts the evaluation of a (user, domain) to some items: a table with the log's user,
    domain and item columns, one row for each candidate.
    """

    kind: Literal["files"]
    test: str
    candidates: str | None = None


Split = Annotated[LastSplit | TimeSplit | RandomSplit | FilesSplit, Field(discriminator="kind")]


class Schema(Strict):
    """The content of ``schema.yaml``.

    `corpus` says which items can be retrieved in a domain: those of a table of pairs, with ``all`` every item of the
    data in every domain, and by default those of the domain's training and validation rows. `display` says how reports
    and the explorer show items. `repeats` says if an item of the user's history may be retrieved again.
    """

    domains: Domains
    interactions: Interactions
    tables: dict[Name, Table] = Field(default_factory=dict)
    features: Features
    corpus: Corpus | Literal["all"] | None = None
    display: Display | None = None
    trend: Trend | None = None
    split: Split = LastSplit(kind="last")
    repeats: bool = False

    @model_validator(mode="after")
    def _consistent(self) -> "Schema":
        sides = {"user": self.features.user, "item": self.features.item, "context": self.features.context}
        names = [feature.name for features in sides.values() for feature in features]
        check_unique("features", names)
        check_unique("tables", self.tables)
        if "domain" in names:
            raise ValueError("features: the name 'domain' is taken by the domain indicator; choose another")
        for side, features in sides.items():
            for feature in features:
                self._check_source(side, feature)
        if self.display is not None:
            self._check_table("display", self.display.table)
        if any(feature.kind == "behaviours" for feature in self.features.user) and not any(
            feature.kind == "id" for feature in self.features.item
        ):
            raise ValueError("features: 'behaviours' needs an item feature of kind 'id', whose embeddings it averages")
        if self.split.kind == "time" and self.interactions.time is None:
            raise ValueError("split: kind 'time' needs interactions.time, the column that holds the time")
        if self.trend is not None and self.interactions.time is None:
            raise ValueError("trend: counters need interactions.time, the column that holds the time")
        if self.split.validation_by == "time" and self.interactions.time is None:
            raise ValueError("split: validation_by 'time' needs interactions.time, the column that holds the time")
        return self

    def _check_source(self, side: str, feature: Feature) -> None:
        if not isinstance(feature, Sourced):
            return
        where = f"features.{side}: '{feature.name}'"
        if side == "context":
            if feature.table is not None:
                raise ValueError(f"{where} is a context feature: it is a column of the log, so it takes no table")
        elif feature.table is None:
            raise ValueError(f"{where} needs 'table:', the feature table that holds it ({', '.join(self.tables)})")
        else:
            self._check_table(where, feature.table)

    def _check_table(self, where: str, table: str) -> None:
        if table not in self.tables:
            known = f"({', '.join(self.tables)}).{suggestion(table, self.tables)}"
            raise ValueError(f"{where} names table '{table}', which is not in tables: {known}")


def load_schema(path: str | Path) -> Schema:
    """Read a schema file, or ``schema.yaml`` in a folder. Raises `AdiError`, naming the file, the key and the value."""
    path = Path(path)
    path = path / "schema.yaml" if path.is_dir() else path
    if not path.exists():
        raise AdiError(f"{path}: no such file. 'adi init TABLE...' writes a first schema for your tables.")
    return read_yaml(path, Schema)
