"""Provenance of a grid's data set, ``origin.json`` beside it."""

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

FILE = "origin.json"


class Provenance(BaseModel):
    """The origin of a data set: digests of its files (or of the simulation) and of the code, and changes of its schema.

    `changes` are keys that replace those of the source's own schema. `schema_digest` is that of a schema which is not
    among the files.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)  # those of an older adi are of other code, and say so

    source: str
    code: str
    changes: dict[str, Any] | None = None
    schema_digest: str | None = None


def read_provenance(folder: Path) -> Provenance | None:
    """The provenance of the data set in a folder; None where there is none."""
    path = folder / FILE
    return Provenance.model_validate_json(path.read_text(encoding="utf-8")) if path.exists() else None


def write_provenance(folder: Path, provenance: Provenance) -> None:
    """Write the provenance of the data set in a folder."""
    (folder / FILE).write_text(provenance.model_dump_json(indent=1) + "\n", encoding="utf-8")
