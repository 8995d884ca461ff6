"""The tables of a folder: parts of one, several, or those of each domain, as in ``log/us/clicks.csv``."""

from collections.abc import Mapping
from pathlib import Path

import duckdb

from adi.engines.stores import is_remote
from adi.engines.tables import TableFiles
from adi.guessing.notes import VALUE
from adi.guessing.roles import DOMAIN_WORDS, DOMAINS, MOST_DOMAINS, rank_of

DOMAIN = "{domain}"


def tables_in(connection: duckdb.DuckDBPyConnection, path: str) -> list[str]:
    """The tables that a path means: as a rule itself.

    Of a folder whose folders are domains, they have ``{domain}`` in place of their names. The folders are domains if
    they have tables with the same columns, and none of a column that could be the domain. Folders named by dates or
    numbers, or as in ``day=1``, are none. Of another folder whose files have few columns in common, each file and each
    folder in it is a table.
    """
    folder = Path(path)
    if is_remote(path) or not folder.is_dir():
        return [path]
    columns = {file: frozenset(TableFiles([file]).columns(connection)) for file in TableFiles.at(path, Path()).files}
    if by_domain := _tables_by_domain(folder, columns):
        return by_domain
    first = next(iter(columns.values()))
    if all(2 * len(first & names) >= len(first | names) for names in columns.values()):
        return [path]
    return [str(child) for child in sorted(folder.iterdir()) if any(file.is_relative_to(child) for file in columns)]


def _tables_by_domain(folder: Path, columns: Mapping[Path, frozenset[str]]) -> list[str]:
    """The tables of a folder with a folder for each domain; none if it is not one. `columns` are those of each file."""
    below = {file: file.relative_to(folder).parts for file in columns}
    names = {parts[0] for parts in below.values()}
    depths = {len(parts) for parts in below.values()}
    if not 2 <= len(names) <= MOST_DOMAINS or len(depths) > 1 or min(depths) < 2:
        return []
    if any("=" in name or VALUE.fullmatch(name) for name in names):
        return []
    tables: dict[frozenset[str], list[Path]] = {}
    for file, names_of_columns in columns.items():
        tables.setdefault(names_of_columns, []).append(file)
    if any({below[file][0] for file in some} != names for some in tables.values()):
        return []
    if any(rank_of(name, DOMAINS, DOMAIN_WORDS) is not None for names in tables for name in names):
        return []
    patterns = [_pattern(some, below, alone=len(tables) == 1) for some in tables.values()]
    return [] if None in patterns else [str(folder / pattern) for pattern in patterns if pattern is not None]


def _pattern(files: list[Path], below: Mapping[Path, tuple[str, ...]], *, alone: bool) -> str | None:
    """The files as a path with ``{domain}``; None where a glob would be of other files, too."""
    rest = {below[file][1:] for file in files}
    if len(rest) == 1:
        return "/".join([DOMAIN, *rest.pop()])
    suffixes = {"".join(file.suffixes[-2:] if file.suffix == ".gz" else file.suffixes[-1:]) for file in files}
    if not alone or len(suffixes) > 1:
        return None
    return "/".join([DOMAIN, *"*" * (len(rest.pop()) - 1), f"*{suffixes.pop()}"])
