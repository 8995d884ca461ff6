"""The metrics of an evaluation, and ``metrics.json``, which stores them in a run's folder."""

import json
from pathlib import Path
from typing import Literal

import pyarrow as pa
from pydantic import ConfigDict, Field

from adi.data.coding import Unknown
from adi.data.sealed import write_sealed
from adi.frames import html_of
from adi.runs.record import Record

FILE = "metrics.json"

Measures = dict[str, int | float | None]
"""Values by name, such as ``recall@50`` in [0, 1], and the counts ``queries`` and ``corpus``; None if undefined."""


class QueryGroup(Record):
    """The number and the measures of a group of queries, such as those with a history of 3 to 5 items."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: Measures

    group: str
    queries: int

    @property
    def measures(self) -> Measures:
        return self.__pydantic_extra__


class Measured(Record):
    """Measures by domain, and their means over the domains and over all queries."""

    domains: dict[str, Measures]
    mean: Measures
    mean_over_queries: Measures = Field(default_factory=dict)


class Lists(Record):
    """The lists of `k` items of a sample of test queries (`adi.runs.lists`), and what they hold by domain.

    `digest` is that of the file with the lists. `domains` has the measures of `adi.evaluation.list_measures` and the
    number of sampled ``queries``; `overlap` has the share of each pair of domains.
    """

    digest: str
    k: int
    domains: dict[str, Measures]
    overlap: dict[str, dict[str, float | None]]


class Metrics(Record):
    """Measures of an evaluation: by domain, averaged over the domains, and by group of queries.

    `mean` weighs all domains equally, but for those `left_out`; `mean_over_queries` weighs them by their queries.
    `small` are the domains whose measures say little (`adi.evaluation.evaluate.is_small`). With `exclude_seen`, lists
    left out the items of the history; None in the files of an older adi, which did so but for the query's own item.

    `part` is the part of the dataset, such as ``test``. `against` is the set in which items were ranked: ``corpus`` or
    ``candidates``. `history` is the rule by which queries saw earlier rows of their users. `breakdown` maps a grouping,
    such as ``history_length``, and a domain to its groups in order. `ranks` is the digest of the ranks from which the
    measures were computed (`adi.runs.ranks`). `lists` are those of a sample of the queries; None in the files of an
    older adi.

    `known` says what queries knew: ``frozen``, the rows of training and validation alone, or ``live``, the rows of the
    test before their moment, too. Where the data has trends, all the above is live, and `frozen` and `live` have the
    measures of both.

    `fingerprint` is that of the dataset; None in the files of an older adi, which evaluated runs on their own data
    only. `prepared` is the path of the dataset, relative to the run's folder, and `unknown` counts the values that the
    run does not know, if it was not evaluated on its own data.
    """

    model: str | None = None
    part: str
    against: str
    history: str
    ks: tuple[int, ...] = Field(min_length=1)
    domains: dict[str, Measures]
    mean: Measures
    mean_over_queries: Measures = Field(default_factory=dict)
    exclude_seen: bool | None = None
    small: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    breakdown: dict[str, dict[str, tuple[QueryGroup, ...]]] = Field(default_factory=dict)
    ranks: str | None = None
    lists: Lists | None = None
    fingerprint: str | None = None
    prepared: str | None = None
    unknown: tuple[Unknown, ...] = ()
    known: Literal["frozen", "live"] = "frozen"
    frozen: Measured | None = None
    live: Measured | None = None

    @property
    def default_measure(self) -> str:
        """The measure that models are compared by unless another is named."""
        return "recall@10" if self.against == "candidates" else "recall@50"

    def as_json(self) -> str:
        """The text of ``metrics.json``."""
        return json.dumps(self.model_dump(mode="json"), indent=1)

    def to_frame(self) -> pa.Table:
        """An Arrow table with a row for each domain, for their mean and for that over all queries; the
        columns are ``domain`` and every measure.

        Convert it to pandas or polars with ``metrics.to_frame().to_pandas()`` or ``polars.from_arrow(...)``.
        """
        rows = [{"domain": name, **measures} for name, measures in self.domains.items()]
        means = {"mean": self.mean, "mean over queries": self.mean_over_queries}
        rows += [{"domain": name, **dict.fromkeys(self._names()), **mean} for name, mean in means.items() if mean]
        return pa.Table.from_pylist(rows)

    def __repr__(self) -> str:
        names = [name for name in self.mean if name.startswith("recall@")] or list(self.mean)
        values = ((name, self.mean[name]) for name in names)
        means = ", ".join(f"{name} {'undefined' if value is None else f'{value:.4f}'}" for name, value in values)
        return f"<Metrics of {self.model or 'a model'} on {self.part}, {len(self.domains)} domains: mean {means}>"

    def __str__(self) -> str:
        return repr(self)

    def _repr_html_(self) -> str:
        """A table for notebooks."""
        return html_of(self.to_frame())

    def _names(self) -> list[str]:
        return list(dict.fromkeys(name for measures in self.domains.values() for name in measures))


def write_metrics(folder: Path, metrics: Metrics) -> None:
    """Write or replace ``metrics.json``."""
    write_sealed(folder / FILE, metrics.as_json())
