"""Values that cannot be used as they are: in place of a header, missing, and times and numbers of other countries."""

import re
from collections.abc import Collection, Iterable

from adi.engines.tables import TableFiles
from adi.errors import AdiError
from adi.guessing.profiles import Column, TableProfile, percent, plain
from adi.guessing.roles import TIME_WORDS, TIMES, Roles, noun_of

VALUE = re.compile(r"[-+]?\d+([.,]\d+)?|\d{4}-\d\d-\d\d.*")
"""A number or a date: no name that anybody gives to a column."""

FOREIGN_DATE = re.compile(r"\d{1,2}([./-])\d{1,2}\1\d{2,4}\b")

DECIMAL_COMMA = re.compile(r"[-+]?(\d{1,3}(\.\d{3})+|\d+),\d+")


def refuse_values_as_names(table: TableFiles, names: Collection[str]) -> None:
    """Raise `AdiError` for a table whose first line has values, and no names of columns."""
    if values := [name for name in names if VALUE.fullmatch(name)]:
        raise AdiError(
            f"{table}: has no header: '{plain(values[0])}' is a value and no name. Write the names of the columns into "
            "the first line."
        )


def notes_on_values(tables: Iterable[TableProfile], roles: Roles) -> list[str]:
    """Sentences on columns of text that are times or numbers in another form."""
    notes = []
    columns = [(table, column) for table in tables for column in table.columns.values() if column.form == "text"]
    for table, column in columns:
        value = f"{table.table}, column '{column.name}': '{plain(column.low)}'"
        is_named_time = noun_of(column.name, TIME_WORDS) in TIMES.split()
        if table is roles.log and roles.time is None and (is_named_time or _is_date(column)):
            notes.append(
                f"{value} is not read as a time. Write times as 2024-01-31 12:30:00, or as seconds since 1970."
            )
        elif _is_number(column):
            notes.append(f"{value} has a decimal comma and is read as text. Write numbers as 1234.5.")
    return notes


def notes_on_holes(roles: Roles) -> list[str]:
    """Sentences on the user, item and domain of rows of the log, where more than 1 % have none."""
    missing = {column.name: column.rows - column.filled for column in (roles.user, roles.item, roles.domain)}
    rows = roles.user.rows
    return [
        f"{roles.log.table}, column '{name}': {percent(number, rows)} of the rows have no value, and are set aside."
        for name, number in missing.items()
        if number > 0.01 * rows
    ]


def _is_date(column: Column) -> bool:
    """True if the values are dates with the day or the month first."""
    return all(FOREIGN_DATE.match(text) for text in (column.low, column.high))


def _is_number(column: Column) -> bool:
    """True if all values that are known are numbers with a decimal comma."""
    known = [column.low, column.high, *column.values]
    return all(DECIMAL_COMMA.fullmatch(text) for text in known)
