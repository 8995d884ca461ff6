"""Files of a run with a number for each feature in each domain.

interest.json    the mean weight of each feature (`adi.models.interest`)
falls.json       the fall of recall without each feature (`adi.evaluation.ablation`)
"""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from adi.data.arrays import Array
from adi.data.sealed import unsealed, write_sealed
from adi.errors import AdiError

INTEREST = "interest.json"
FALLS = "falls.json"


class ByFeature(BaseModel):
    """A number for each feature of a side, by domain; None if undefined."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    features: tuple[str, ...]
    values: dict[str, tuple[float | None, ...]]

    @classmethod
    def of(cls, features: Sequence[str], values: Array, domains: Sequence[str]) -> "ByFeature":
        """Convert an array (D, F), in which NaN is undefined."""
        rows = {
            domain: tuple(None if math.isnan(value) else value for value in row)
            for domain, row in zip(domains, values.tolist(), strict=True)
        }
        return cls(features=tuple(features), values=rows)


_Sides = TypeAdapter(dict[str, ByFeature])


def write_by_feature(path: Path, sides: Mapping[str, ByFeature]) -> None:
    """Write or replace the numbers of the user and the item features."""
    write_sealed(path, _Sides.dump_json(dict(sides), indent=1).decode())


def read_by_feature(path: Path) -> dict[str, ByFeature]:
    """Read the numbers of each side; empty if there is no file. Raises `AdiError` for a malformed file."""
    remedy = f"Run 'adi evaluate {path.parent}' again."
    try:
        return _Sides.validate_json(unsealed(path.read_bytes(), path, remedy))
    except FileNotFoundError:
        return {}
    except ValidationError as error:
        raise AdiError(f"{path}: malformed, with {error.error_count()} errors. {remedy}") from None
