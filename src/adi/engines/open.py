"""The table that a path of the schema means: files, or a table in the catalogue of the engine."""

from pathlib import Path

from adi.engines.engine import Engine
from adi.engines.tables import RawTable, TableFiles

CATALOGUE = "catalogue://"
"""The beginning of a path that names a table in the engine's catalogue: ``catalogue://sales.clicks``."""


def open_table(engine: Engine, path: str, folder: Path) -> RawTable:
    """Find the table at a path, relative to `folder`. Raises `AdiError` where there is none."""
    if path.startswith(CATALOGUE):
        return engine.table_in_catalogue(path.removeprefix(CATALOGUE))
    return TableFiles.at(path, folder)
