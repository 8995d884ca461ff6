"""The log of an arm that shows items at random: a row for each request, with the probability of the shown item in this
arm and in the one to be estimated."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from adi.abtest.database import Connection, identifier
from adi.abtest.tables import check_id, column_types, source_of, table_files
from adi.data.arrays import Array
from adi.errors import AdiError, ArgumentError, suggestion

IDS = ("request", "user", "domain")
PROBABILITIES = ("propensity", "target")
MODELS = {"clicks": ("predicted", "expected"), "charge": ("predicted_charge", "expected_charge")}
"""By reward, the columns of a reward model: its prediction for the shown item, and its mean over the other arm's
choices."""

REQUIRED = (*IDS, *PROBABILITIES, "click")
OPTIONAL = ("charge", "supported", *MODELS["clicks"], *MODELS["charge"])
"""Columns that are read where the table has them."""

ROUNDING = 1e-6
"""Error of a probability that was stored with the digits of float32."""


@dataclass(frozen=True, kw_only=True)
class ShownTotals:
    """Totals of n users in a domain, or (None) in all domains together.

    A row's weight is target / propensity. `columns` are (n,) each: ``shown`` rows, ``weight``, ``clicks``,
    ``weighted_clicks``, and where the log has them ``robust_clicks`` (expected + weight · (click - predicted)),
    ``charge``, ``weighted_charge``, ``robust_charge`` and ``supported``. `squares` is the sum of the rows' squared
    weights, `largest` the largest of the weights.
    """

    domain: str | None
    columns: Mapping[str, Array]
    squares: float
    largest: float

    @property
    def effective(self) -> float:
        """The effective sample size: (sum of weights)² / sum of squared weights; 0 without any weight."""
        return float(self.columns["weight"].sum()) ** 2 / self.squares if self.squares else 0.0


def read_shown(connection: Connection, paths: Sequence[str], names: Mapping[str, str]) -> list[ShownTotals]:
    """The totals of all domains together, then of each domain.

    Args:
        paths: Parquet or CSV files, folders of them, or globs.
        names: the table's column for any of `REQUIRED` and `OPTIONAL` that has another name there.

    Raises `AdiError` for a column that is missing, and for any row that cannot be used: to leave out rows by their
    probabilities would bias the estimates.
    """
    files = table_files(paths, argument="tables")
    columns = _columns(column_types(connection, files, argument="tables"), files[0], names)
    numbers = [name for name in columns if name not in IDS]
    connection.execute(f"""
        CREATE TABLE shown AS
        SELECT {", ".join(f"{identifier(columns[name])}::VARCHAR AS {name}" for name in IDS)},
               {", ".join(f"try_cast({identifier(columns[name])} AS DOUBLE) AS {name}" for name in numbers)},
               count(*) OVER (PARTITION BY {identifier(columns["request"])}) AS times
        FROM {source_of(files)}""")
    _check_rows(connection, columns)
    domains = connection.execute("SELECT DISTINCT domain FROM shown ORDER BY domain").fetchall()
    return [_totals(connection, domain, columns) for domain in (None, *(name for (name,) in domains))]


def _columns(types: Mapping[str, str], file: str, names: Mapping[str, str]) -> dict[str, str]:
    """The table's column for each name that is required, given, or there; all are checked."""
    known = (*REQUIRED, *OPTIONAL)
    if unknown := [name for name in names if name not in known]:
        raise ArgumentError(
            "columns", f"'{unknown[0]}' is not one of {', '.join(known)}.{suggestion(unknown[0], known)}"
        )
    columns = {name: names.get(name, name) for name in known if name in (*REQUIRED, *names) or name in types}
    for name, column in columns.items():
        if column not in types:
            raise ArgumentError(
                "columns",
                f"{file} has no column '{column}' ({', '.join(types)}).{suggestion(column, types)} "
                f"Name the column, as in {name}=COLUMN.",
            )
    for model in MODELS.values():
        if len(given := [name for name in model if name in columns]) == 1:
            missing = next(name for name in model if name not in given)
            raise ArgumentError("columns", f"{file} has '{columns[given[0]]}' without '{missing}'. Give both or none.")
    if "predicted_charge" in columns and "charge" not in columns:
        raise ArgumentError("columns", f"{file} has '{columns['predicted_charge']}' without 'charge'. Give both.")
    for name in IDS:
        check_id(types, file, columns[name])
    return columns


def _check_rows(connection: Connection, columns: Mapping[str, str]) -> None:
    """Raise `AdiError` that names every fault of the rows, how many rows have it, and the first of them."""
    conditions = _conditions(columns)
    counts = ", ".join(f"count(*) FILTER (WHERE {condition})" for _, condition in conditions)
    row = connection.execute(f"SELECT count(*), {counts} FROM shown").fetchone()
    assert row is not None
    total, *faulty = row
    if not total:
        raise ArgumentError("tables", "no rows. Name the log of shown items.")
    faults = [
        f"{phrase}: {rows:,} rows, the first {_first(connection, condition)}"
        for (phrase, condition), rows in zip(conditions, faulty, strict=True)
        if rows
    ]
    if faults:
        raise AdiError(
            f"shown items, {total:,} rows: {'; '.join(faults)}. Log the right values: without these rows the estimates "
            "would be biased."
        )


def _conditions(columns: Mapping[str, str]) -> list[tuple[str, str]]:
    """The faults of rows, each as a phrase and as a condition in SQL."""
    conditions = [(f"no {name} ('{columns[name]}')", f"{name} IS NULL") for name in IDS]
    for name in (name for name in columns if name not in IDS):
        conditions.append((f"{name} ('{columns[name]}') is missing or no number", f"{name} IS NULL"))
        conditions.append((f"{name} is not finite", f"NOT isfinite({name})"))
    conditions += [("propensity is 0", "propensity = 0"), ("propensity is negative", "propensity < 0")]
    conditions += [(f"{name} is negative", f"{name} < 0") for name in ("target", "supported", "charge")]
    conditions += [
        (f"{name} is above 1", f"{name} > 1 + {ROUNDING} AND isfinite({name})")
        for name in (*PROBABILITIES, "supported")
    ]
    conditions += [
        ("click is neither 0 nor 1", "click NOT IN (0, 1) AND isfinite(click)"),
        ("supported is less than target", f"supported < target - {ROUNDING}"),
        ("a request that is there twice", "times > 1"),
    ]
    missing = [name for name in ("supported", "charge") if name not in columns]
    return [(phrase, sql) for phrase, sql in conditions if not any(name in sql.split() for name in missing)]


def _first(connection: Connection, condition: str) -> str:
    """``request 'r7', user 'u1'``: the first of the rows with a fault."""
    row = connection.execute(f"SELECT request, user FROM shown WHERE {condition} ORDER BY ALL LIMIT 1").fetchone()
    assert row is not None
    request, user = ("missing" if value is None else f"'{value}'" for value in row)
    return f"request {request}, user {user}"


def _totals(connection: Connection, domain: str | None, columns: Mapping[str, str]) -> ShownTotals:
    here, parameters = ("true", []) if domain is None else ("domain = ?", [domain])
    sums = {"shown": "count(*)", "weight": "sum(weight)"}
    for reward, column in (("clicks", "click"), ("charge", "charge")):
        if column in columns:
            sums |= {reward: f"sum({column})", f"weighted_{reward}": f"sum(weight * {column})"}
            predicted, expected = MODELS[reward]
            if predicted in columns:
                sums[f"robust_{reward}"] = f"sum({expected} + weight * ({column} - {predicted}))"
    if "supported" in columns:
        sums["supported"] = "sum(supported)"
    listed = ", ".join(f"{expression}::DOUBLE AS {name}" for name, expression in sums.items())
    table: pa.Table = connection.execute(
        f"""
        SELECT {listed}, sum(weight * weight) AS squares, max(weight) AS largest
        FROM (SELECT *, target / propensity AS weight FROM shown WHERE {here}) GROUP BY user ORDER BY user""",
        parameters,
    ).to_arrow_table()
    return ShownTotals(
        domain=domain,
        columns={name: table[name].to_numpy() for name in sums},
        squares=float(table["squares"].to_numpy().sum()),
        largest=float(table["largest"].to_numpy().max()),
    )
