"""SQL that a schema may have: one expression over the columns of one row, and nothing else.

A schema may come from somebody else, and SQL can read and write any file of the machine. So DuckDB's own parser says
what an expression is made of before anything is executed.
"""

import json
import re
from collections.abc import Collection, Iterator
from typing import Any

import duckdb

from adi.engines.tables import Connection, RawTable, reason_of
from adi.errors import AdiError, suggestion

ALLOWED = frozenset(
    {"BETWEEN", "CASE", "CAST", "COLLATE", "COLUMN_REF", "COMPARISON", "CONJUNCTION", "CONSTANT", "FUNCTION", "LAMBDA"}
    | {"OPERATOR"}
)
"""The classes of DuckDB's parsed expressions that see one row alone."""

REFUSED = {"STAR": "*", "SUBQUERY": "a subquery", "WINDOW": "a window function"}
"""Words for classes that people would try."""

OF_THE_SESSION = frozenset({"current_setting", "getvariable"})
"""Functions without side effects whose value is no matter of the row."""

PARTS = {"type", "select_list", "from_table", "aggregate_handling"}
"""The keys of a parsed query that selects expressions from one table and does nothing else."""


def fault_of_expression(connection: Connection, text: str) -> str | None:
    """The fault of an expression over the columns of a row, in words; None if it is one."""
    query = f"SELECT ({text})::BOOLEAN FROM log"
    options = "skip_empty := true, skip_null := true, skip_default := true"
    serialized = connection.execute(f"SELECT json_serialize_sql(?, {options})", [query]).fetchone()
    assert serialized is not None
    parsed: dict[str, Any] = json.loads(serialized[0])
    if parsed["error"]:
        statement = parsed["error_type"] == "not implemented"
        return "it has a statement of its own" if statement else _syntax(str(parsed["error_message"]), text)
    nodes = [statement["node"] for statement in parsed["statements"]]
    selected = nodes[0].get("select_list", [])
    is_one = len(nodes) == len(selected) == 1 and nodes[0].keys() <= PARTS and _is_log(nodes[0].get("from_table", {}))
    if not is_one or selected[0]["class"] != "CAST":
        return "it is not one expression"
    for part in _expressions(selected[0]):
        if part["class"] not in ALLOWED:
            return f"it has {REFUSED.get(part['class'], part['class'].lower())}"
    names = {part["function_name"] for part in _expressions(selected[0]) if part["class"] == "FUNCTION"}
    if refused := sorted(names & _functions_beyond_a_row(connection)):
        return f"it has {refused[0]}(), whose value is not a matter of the row"
    return None


def check_positive(connection: Connection, table: RawTable, positive: str, text: Collection[str]) -> None:
    """Raise `AdiError` for SQL that is not one expression over the log's columns, before any of it is executed."""
    if fault := fault_of_expression(connection, positive):
        raise AdiError(
            f"interactions.positive: '{positive}' is refused: {fault}. "
            "Give one SQL expression over the log's columns, such as: event = 'buy' AND price > 0"
        )
    try:
        connection.execute(f"SELECT ({positive})::BOOLEAN FROM {table.sql(text)} LIMIT 0")
    except duckdb.Error as error:
        raise positive_fault(table, positive, error) from None


def positive_fault(table: RawTable, positive: str, error: duckdb.Error) -> AdiError:
    """The error of an expression that DuckDB cannot evaluate on a log."""
    reason = f"{reason_of(error).rstrip('!.')}."
    if missing := re.search('Referenced column "(.*)" not found', reason):
        candidates = re.findall('"([^"]+)"', str(error).partition("Candidate bindings:")[2])
        reason = f"there is no column '{missing[1]}'.{suggestion(missing[1], candidates)}"
    return AdiError(
        f"interactions.positive: '{positive}' cannot be evaluated on {table}: {reason} "
        "Mend the expression; it is SQL over the log's columns."
    )


def _syntax(message: str, text: str) -> str:
    """A syntax error in words: one at the parenthesis that follows the expression is at its end."""
    near = re.search('at or near "(.*)"', message)
    if near is None:
        return message
    at_end = near[1] == ")" and text.count("(") >= text.count(")")
    return "it ends where more should follow" if at_end else f"it is not SQL at or near '{near[1]}'"


def _is_log(table: dict[str, Any]) -> bool:
    return (table.get("type"), table.get("table_name")) == ("BASE_TABLE", "log") and "alias" not in table


def _expressions(part: Any) -> Iterator[dict[str, Any]]:
    """All expressions inside a parsed one, and itself."""
    if isinstance(part, dict):
        if "class" in part:
            yield part
        for inner in part.values():
            yield from _expressions(inner)
    elif isinstance(part, list):
        for inner in part:
            yield from _expressions(inner)


def _functions_beyond_a_row(connection: Connection) -> set[str]:
    """Functions with side effects, or other values from call to call, and aggregates."""
    rows = connection.execute(
        "SELECT DISTINCT function_name FROM duckdb_functions() WHERE has_side_effects OR function_type = 'aggregate'"
    ).fetchall()
    return {name for (name,) in rows} | OF_THE_SESSION
