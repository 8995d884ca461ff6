"""The manifest of a prepared dataset: what was read, kept and set aside, and how each feature is encoded."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from adi.errors import AdiError

FORMAT = 2
"""Raised whenever the layout of a prepared dataset changes; older folders are refused, never half understood.

A further file that nothing else depends on changes no layout: its reader says if it is missing, as for attributes.
"""

NULL_ROW = 0
UNSEEN_ROW = 1
FIRST_VALUE_ROW = 2
"""Rows of every feature's table: missing value, value not in the vocabulary, then the values."""


class Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class FeatureInfo(Record):
    """How a feature is encoded.

    `rows` is the size of its embedding table; 0 for behaviours, which use the table of the item feature
    `embedded_by`. `edges` are a numeric feature's bucket edges; `hash_size` replaces a vocabulary.
    """

    name: str
    side: Literal["user", "item", "context"]
    kind: Literal["id", "categorical", "multi", "numeric", "behaviours"]
    rows: int
    by_domain: bool = False
    hash_size: int | None = None
    edges: tuple[float, ...] | None = None
    length: int | None = None
    same_domain: bool = False
    embedded_by: str | None = None


class DomainCounts(Record):
    """Rows of a domain; `users` and `items` of its training and validation rows; `corpus` counts eligible items."""

    train: int
    validation: int
    test: int
    users: int
    items: int
    corpus: int


class RowCounts(Record):
    """Rows of the log or of a table; `set_aside` by reason, so that read = kept + sum of set aside."""

    read: int
    kept: int
    set_aside: dict[str, int]


class Manifest(Record):
    """What a prepared dataset is; `tables` counts the rows of feature tables, by name, and of ``corpus.path`` and
    ``split.candidates``; `ignored_values` the NaN and infinities of numeric features, by name, read as missing.
    """

    format: int
    adi: str
    created: str
    versions: dict[str, str]
    schema_sha256: str
    fingerprint: str
    domains: tuple[str, ...]
    time: Literal["timestamp", "number"] | None
    repeats: bool
    users: int
    items: int
    rows: RowCounts
    by_domain: dict[str, DomainCounts]
    tables: dict[str, RowCounts]
    ignored_values: dict[str, int]
    features: tuple[FeatureInfo, ...]
    candidates: bool

    def side(self, *sides: str) -> tuple[FeatureInfo, ...]:
        return tuple(feature for feature in self.features if feature.side in sides)


def read_manifest(folder: Path) -> Manifest:
    """Read and check the manifest of a prepared dataset; raises `AdiError` if the folder is not one of this format."""
    path = folder / "manifest.json"
    try:
        text = path.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        raise AdiError(
            f"{folder}: not a prepared dataset (no manifest.json). Make one with: adi prepare SCHEMA --out {folder}"
        ) from None
    try:
        manifest = Manifest.model_validate_json(text)
    except ValidationError as error:
        raise AdiError(
            f"{path}: not a manifest that adi wrote in format {FORMAT} ({error.error_count()} faults). "
            "Prepare the dataset again."
        ) from None
    if manifest.format != FORMAT:
        raise AdiError(f"{path}: format {manifest.format}, and this adi reads format {FORMAT}. Prepare it again.")
    return manifest
