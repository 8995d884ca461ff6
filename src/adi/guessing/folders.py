"""A folder with a folder for each domain: ``log/us/clicks.csv``, ``log/de/clicks.csv``."""

from collections.abc import Mapping
from pathlib import Path

import duckdb

from adi.engines.stores import is_remote
from adi.engines.tables import TableFiles
from adi.guessing.notes import VALUE
from adi.guessing.roles import DOMAIN_WORDS, DOMAINS, MOST_DOMAINS, rank_of

DOMAIN = "{domain}"


def tables_in(connection: duckdb.DuckDBPyConnection, path: str) -> list[str]:
    """The tables of a folder whose folders are domains, with ``{domain}`` in place of their names; else the path alone.

    The folders are domains if they have tables with the same columns, and none of a column that could be the domain.
    Folders named by dates or numbers, or as in ``day=1``, are none.
    """
    folder = Path(path)
    if is_remote(path) or not folder.is_dir():
        return [path]
    files = TableFiles.at(path, Path()).files
    below = {file: file.relative_to(folder).parts for file in files}
    names = {parts[0] for parts in below.values()}
    depths = {len(parts) for parts in below.values()}
    if not 2 <= len(names) <= MOST_DOMAINS or len(depths) > 1 or min(depths) < 2:
        return [path]
    if any("=" in name or VALUE.fullmatch(name) for name in names):
        return [path]
    tables: dict[frozenset[str], list[Path]] = {}
    for file in files:
        tables.setdefault(frozenset(TableFiles([file]).columns(connection)), []).append(file)
    if any({below[file][0] for file in some} != names for some in tables.values()):
        return [path]
    if any(rank_of(column, DOMAINS, DOMAIN_WORDS) is not None for columns in tables for column in columns):
        return [path]
    patterns = [_pattern(some, below, alone=len(tables) == 1) for some in tables.values()]
    return [path] if None in patterns else [str(folder / pattern) for pattern in patterns if pattern is not None]


def _pattern(files: list[Path], below: Mapping[Path, tuple[str, ...]], *, alone: bool) -> str | None:
    """The files as a path with ``{domain}``; None where a glob would be of other files, too."""
    rest = {below[file][1:] for file in files}
    if len(rest) == 1:
        return "/".join([DOMAIN, *rest.pop()])
    suffixes = {"".join(file.suffixes[-2:] if file.suffix == ".gz" else file.suffixes[-1:]) for file in files}
    if not alone or len(suffixes) > 1:
        return None
    return "/".join([DOMAIN, *"*" * (len(rest.pop()) - 1), f"*{suffixes.pop()}"])
