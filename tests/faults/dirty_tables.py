"""Tables with faults, drawn by Hypothesis: clean rows with rows and values among them that cannot be used.

Every faulty row has the reason for which it is to be set aside, so that what `adi prepare` counts can be foretold. Some
tables have a fault in a whole file instead: they have the message that it is to end with.
"""

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml
from hypothesis import strategies as st

from faults.file_faults import FILE_FAULTS, Row, content_of

Marked = tuple[Row, str | None]
"""A row, and the reason for which it is set aside."""

DOMAINS = ["p", "q\né"]
USERS = ["007", " ", 'é e\u0301 🎈 "q" a,b;c\td\'\n\re', "nul\0here", "x" * 700, "NULL", "nan"]
ITEMS = ["7", "7.0", "-1e400", "\u200fمرحبا", "[]", '{"a": 1}', "true"]

LOG = [
    {"user": USERS[n * 5 % 7], "item": ITEMS[n * n % 7], "domain": DOMAINS[n % 5 < 2], "time": n * n - 30,
     "hour": None if n % 4 == 1 else n % 5 + 0.5, "event": "buy"}
    for n in range(21)
]  # fmt: skip
PRICES = [{"item": item, "price": None if n == 2 else n + 0.25, "note": USERS[n]} for n, item in enumerate(ITEMS[:5])]
PRICES.append({"item": "in no log", "price": 1e308, "note": None})
BIDS = [{"item": item, "domain": DOMAINS[n % 2], "bid": None if n == 3 else -n - 0.5} for n, item in enumerate(ITEMS)]
CLEAN = {"log": LOG, "prices": PRICES, "bids": BIDS}
KEYS = {"prices": ["item"], "bids": ["item", "domain"]}
NUMBERS = {"log": "hour", "prices": "price", "bids": "bid"}
"""The column of each table that a numeric feature has."""

FILTERS = {"not positive", "duplicate"}
"""Reasons that the schema asks for."""

EPOCH = datetime(2020, 1, 1)


def as_text(minutes: int) -> str:
    """A time in one of three forms; the first and the last of the log far away."""
    moment = EPOCH.replace(year={-30: 1601, 370: 9999}.get(minutes, 2020)) + timedelta(minutes=minutes)
    return (f"{moment}", f"{moment}.250", f"{moment:%Y-%m-%dT%H:%M:%SZ}")[minutes % 3]


TIMES: dict[str, tuple[Callable[[int], Any], list[Any]]] = {
    # for each kind of time: how the clean times are written, and times that cannot be read
    "whole": (lambda time: 2**52 if time == 370 else time, [None]),
    "fraction": (lambda time: time + 0.5, [None, math.nan, math.inf, -math.inf]),
    "text": (
        as_text,
        [None, "", " ", "soon", "2020-02-30", "infinity", "1577836800", "300000-01-01", "12:00", "x" * 3_000],
    ),
}
SPLITS = {"last": {"kind": "last", "validation": 0.5}, "random": {"kind": "random", "share": 0.3, "validation": 0.0}}


@dataclass(repr=False)
class DirtyTables:
    """Tables as they are written: rows with their reasons, where the log is cut into files, the fault of a file.

    `bad_values` counts NaN and infinities of rows that are kept, by column. `strict` says how they are prepared.
    """

    suffix: str
    time: str
    split: str
    rows: dict[str, list[Marked]]
    cuts: list[int] = field(default_factory=list)
    line_end: str = "\n"
    strict: bool = False
    file_fault: str | None = None
    bad_values: Counter[str] = field(default_factory=Counter)

    def __repr__(self) -> str:
        """The faults alone, for a failing example."""
        aside = {
            table: [(position, row, reason) for position, (row, reason) in enumerate(rows) if reason]
            for table, rows in self.rows.items()
        }
        kind = f"{self.suffix} {self.time} {self.split} {self.line_end!r}{' strict' if self.strict else ''}"
        return f"<{kind} cut at {self.cuts} with {aside}, values {dict(self.bad_values)}, {self.file_fault}>"

    def reasons(self, table: str) -> dict[str, int]:
        return dict(Counter(reason for _, reason in self.rows[table] if reason is not None))

    @property
    def is_faulty(self) -> bool:
        """True if something is at fault that `strict` refuses."""
        return bool(self.bad_values) or any(set(self.reasons(table)) - FILTERS for table in self.rows)

    @property
    def refusal(self) -> str:
        """The message that the tables are to end with, whatever their rows; empty if rows alone are at fault."""
        messages = [FILE_FAULTS[self.file_fault][1]] if self.file_fault is not None else []
        if self.suffix == ".csv":  # DuckDB takes a column that begins with an infinity for dates
            for _, _, rows in self.parts():
                for column in rows[0]:
                    first = next((row[column] for row in rows if row[column] not in (None, "")), None)
                    if isinstance(first, float) and math.isinf(first):
                        is_time = column == "time"
                        messages.append("no readable time" if is_time else rf"column '{column}': \w+, and feature")
        return "|".join(filter(None, messages))

    def write(self, folder: Path) -> None:
        """Write the tables and their schema."""
        folder.mkdir()
        schema = schema_of(self.suffix, self.time, self.split)
        (folder / "schema.yaml").write_text(yaml.safe_dump(schema, allow_unicode=True), encoding="utf-8")
        for name, _, rows in self.parts():
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_bytes(content_of(rows, self.suffix, self.line_end))
        if self.file_fault is not None:
            FILE_FAULTS[self.file_fault][0](folder, self.suffix)

    def parts(self) -> list[tuple[str, list[str | None], list[Row]]]:
        """The files: name, and of each row the reason and the row."""
        files = []
        for table, marked in self.rows.items():
            cuts = [0, *(self.cuts if table == "log" else []), len(marked)]
            for number, (begin, end) in enumerate(pairwise(cuts)):
                name = f"log/{number}{self.suffix}" if table == "log" else f"{table}{self.suffix}"
                part = marked[begin:end]
                files.append((name, [reason for _, reason in part], [row for row, _ in part]))
        return files


def schema_of(suffix: str, time: str, split: str) -> dict[str, Any]:
    numeric = {"kind": "numeric", "buckets": 3}
    return {
        "domains": {"column": "domain", "values": DOMAINS},
        "interactions": {
            "path": "log", "user": "user", "item": "item", "time": "time", "positive": "event = 'buy'",
            "duplicates": "drop",
        },
        "tables": {name: {"path": f"{name}{suffix}", "key": key} for name, key in KEYS.items()},
        "features": {
            "user": [{"name": "history", "kind": "behaviours"}],
            "item": [
                {"name": "item_id", "kind": "id"},
                {"name": "price", "table": "prices", **numeric},
                {"name": "bid", "table": "bids", **numeric},
            ],
            "context": [{"name": "hour", **numeric}],
        },
        "corpus": "all",
        "split": SPLITS[split],
    }  # fmt: skip


def clean_rows(time: str) -> dict[str, list[Marked]]:
    """The clean rows of each table, with times of a kind."""
    written = TIMES[time][0]
    rows = {**CLEAN, "log": [{**row, "time": written(row["time"])} for row in LOG]}
    return {name: [(dict(row), None) for row in table] for name, table in rows.items()}


MISSING = st.sampled_from([None, ""])
NOT_FINITE = st.sampled_from([math.nan, math.inf, -math.inf])


@st.composite
def dirty_tables(draw: st.DrawFn, file_faults: bool = False) -> DirtyTables:
    """Draw tables of any kind with up to eight faults, and with `file_faults` also one of a whole file."""
    time = draw(st.sampled_from(sorted(TIMES)))
    tables = DirtyTables(
        suffix=draw(st.sampled_from([".csv", ".jsonl", ".parquet"])),
        time=time,
        split=draw(st.sampled_from(sorted(SPLITS))),
        rows=clean_rows(time),
        line_end=draw(st.sampled_from(["\n", "\r\n"])),
        strict=draw(st.booleans()),
    )
    for add in draw(st.lists(st.sampled_from([add_log_row, add_log_row, add_table_row, add_values]), max_size=8)):
        add(draw, tables)
    num_rows = len(tables.rows["log"])
    tables.cuts = sorted(draw(st.sets(st.integers(1, num_rows - 1), max_size=3)))
    if file_faults:
        tables.file_fault = draw(st.sampled_from(sorted(name for name in FILE_FAULTS if tables.suffix in name)))
    return tables


def add_log_row(draw: st.DrawFn, tables: DirtyTables) -> None:
    """Put a copy of a clean row somewhere into the log, with faults in some columns; or without: a duplicate."""
    rows = tables.rows["log"]
    clean = [position for position, (row, reason) in enumerate(rows) if reason is None and row["hour"] is not None]
    origin = draw(st.sampled_from(clean))
    row = dict(rows[origin][0])
    wrong = draw(st.sets(st.sampled_from(["user", "item", "domain", "time", "event"]), max_size=2))
    for column in sorted(wrong):
        if column == "time":
            row["time"] = draw(st.sampled_from(TIMES[tables.time][1]))
        elif column == "event":
            row["event"] = draw(st.sampled_from([None, "", "view", "Buy"]))
        else:
            row[column] = draw(MISSING)
    reasons = {"user": "no user", "item": "no item", "domain": "no domain", "time": "no readable time"}
    reasons |= {"event": "not positive"}
    reason = next((reason for column, reason in reasons.items() if column in wrong), "duplicate")
    at = draw(st.integers(origin + 1 if reason == "duplicate" else 0, len(rows)))
    rows.insert(at, (row, reason))


def add_table_row(draw: st.DrawFn, tables: DirtyTables) -> None:
    """Put a row that describes nothing into a feature table."""
    table = draw(st.sampled_from(sorted(KEYS)))
    row = {**CLEAN[table][0], NUMBERS[table]: draw(st.sampled_from([None, 0.5, math.nan, -1e308]))}
    key = {
        "item": f"only in a faulty row {len(tables.rows[table])}",
        "domain": draw(st.sampled_from([*DOMAINS, "serch", "P"])),
    }
    row |= {column: key[column] for column in KEYS[table]}
    if table == "prices" or row["domain"] in DOMAINS:
        for column in draw(st.sets(st.sampled_from(KEYS[table]), min_size=1)):
            row[column] = draw(MISSING)
        reason = "no key"
    else:
        reason = "domain not in the log"
    tables.rows[table].insert(draw(st.integers(0, len(tables.rows[table]))), (row, reason))


def add_values(draw: st.DrawFn, tables: DirtyTables) -> None:
    """Make a missing number of a row that is kept NaN or infinite: it still counts as missing."""
    table = draw(st.sampled_from(sorted(NUMBERS)))
    column = NUMBERS[table]
    rows = [row for row, reason in tables.rows[table] if reason is None and row[column] is None]
    if rows:
        draw(st.sampled_from(rows))[column] = draw(NOT_FINITE)
        tables.bad_values[column] += 1
