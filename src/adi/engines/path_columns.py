"""Columns whose values are in the paths of a table's files: ``log/{market}/*.csv`` has the column market."""

import re
from collections.abc import Collection, Mapping
from pathlib import Path

from adi.errors import AdiError

COLUMN = re.compile(r"\{([A-Za-z_]\w*)\}")

WILDCARDS = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
"""Regular expressions of the wildcards of a glob."""

TOKEN = re.compile(rf"{COLUMN.pattern}|\*\*/|\*\*|\*|\?")


def glob_of(path: str) -> str:
    """The path as a glob: a name in braces stands for any text without a slash."""
    return COLUMN.sub("*", path)


def path_columns(path: str | Path) -> dict[str, str]:
    """The names in braces of a path, each with a regular expression whose only group is its value in a file's path.

    Raises `AdiError` for a name that comes twice.
    """
    text = str(path)
    names = [match[1] for match in COLUMN.finditer(text)]
    if twice := [name for name in names if names.count(name) > 1]:
        raise AdiError(f"'{path}': {{{twice[0]}}} comes twice. Give each part of a path a name of its own.")
    return {name: f"^{_expression(text, name)}(?:/.*)?$" for name in names}


def _expression(path: str, column: str) -> str:
    parts, end = [], 0
    for token in TOKEN.finditer(path):
        value = "([^/]*)" if token[1] == column else WILDCARDS.get(token[0], "[^/]*")
        parts += [re.escape(path[end : token.start()]), value]
        end = token.end()
    return "".join([*parts, re.escape(path[end:])])


def refuse_columns_of_paths(file: Path, columns: Collection[str], in_path: Mapping[str, str]) -> None:
    """Raise `AdiError` for a column that a file has beside the path."""
    if both := [name for name in in_path if name in columns]:
        raise AdiError(
            f"{file}: has a column '{both[0]}', and so has its path. Write another name into the path, or *."
        )
