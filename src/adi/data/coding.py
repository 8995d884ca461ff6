"""The coding of a dataset: which domain, and which value of a feature, each row of an embedding table stands for."""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from adi.data.arrays import Array
from adi.data.manifest import FeatureInfo, Manifest, Record, read_manifest
from adi.errors import AdiError

VOCABULARY = "vocabulary"

NUMBERS = ".number"
"""Ending of the name of an array with the numbers (float64, NaN if missing) of an array of codes of a numeric feature.

No model sees them. A run with other buckets finds its codes by them.
"""


@dataclass(frozen=True)
class Coding:
    """The domains, the features and the vocabularies of a folder.

    A prepared dataset has its own. A run has a copy of that of its training data, by which it reads other data.
    """

    folder: Path
    manifest: Manifest
    _vocabularies: dict[str, pa.Table] = field(default_factory=dict, init=False, repr=False)

    @classmethod
    def read(cls, folder: Path) -> "Coding":
        """Read the coding in a folder. Raises `AdiError` if it has none of this format."""
        return cls(folder, read_manifest(folder))

    @property
    def domains(self) -> tuple[str, ...]:
        return self.manifest.domains

    @property
    def features(self) -> tuple[FeatureInfo, ...]:
        return self.manifest.features

    def vocabulary(self, feature: str) -> pa.Table:
        """The vocabulary of a feature (value, count, code), the most frequent value first; read once."""
        if feature not in self._vocabularies:
            path = self.folder / VOCABULARY / f"{feature}.parquet"
            try:
                self._vocabularies[feature] = pq.ParquetFile(path).read()
            except FileNotFoundError:
                raise AdiError(f"{path}: the vocabulary of feature '{feature}' is missing.") from None
        return self._vocabularies[feature]

    def copy_vocabularies(self, folder: Path) -> None:
        """Write the vocabularies into another folder, in place of those that it has."""
        target = folder / VOCABULARY
        if target.exists():
            shutil.rmtree(target)
        target.mkdir(parents=True)
        for feature in self.features:
            if (source := self.folder / VOCABULARY / f"{feature.name}.parquet").exists():
                shutil.copyfile(source, target / source.name)


class Codes(Protocol):
    """Codes that are looked up by index, as in an array."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: Any, /) -> Any: ...


@dataclass(frozen=True)
class RecodedArray:
    """An array on disk whose values become codes of another coding as they are looked up."""

    stored: Array
    recode: Callable[[Array], Array]

    def __len__(self) -> int:
        return len(self.stored)

    def __getitem__(self, index: Any) -> Array:
        return self.recode(self.stored[index])


@dataclass(frozen=True)
class Recoding:
    """Another coding for a prepared dataset: `codes` replace the arrays of these names (`Dataset.array`)."""

    coding: Coding
    codes: Mapping[str, Codes]


class Unknown(Record):
    """The number of a feature's values in a dataset, and of those that are unknown to the run which reads it.

    `side` says which values: "item" those of the items that can be retrieved, in every domain; "history" the items of
    the log's rows; "user" those of all users; "context" those of the rows of the log and the test.
    """

    side: Literal["item", "history", "user", "context"]
    feature: str
    values: int
    unknown: int

    def __str__(self) -> str:
        share = self.unknown / self.values if self.values else 0.0
        return f"{self.side} {self.feature}: {self.unknown:,} of {self.values:,} unknown ({100 * share:.1f} %)"
