"""Numbers of each feature in each domain, in a run's folder.

interest.json    the mean weight of a feature (`adi.models.interest`)
falls.json       how far recall falls without the feature (`adi.evaluation.zeroing`)
"""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from adi.data.arrays import Array
from adi.data.folder import replace_file
from adi.errors import AdiError

INTEREST = "interest.json"
FALLS = "falls.json"


class ByFeature(BaseModel):
    """A number for each feature of a side, by domain; None where it is not defined."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    features: tuple[str, ...]
    values: dict[str, tuple[float | None, ...]]

    @classmethod
    def of(cls, features: Sequence[str], values: Array, domains: Sequence[str]) -> "ByFeature":
        """From an array (D, F); NaN is what is not defined."""
        rows = {
            domain: tuple(None if math.isnan(value) else value for value in row)
            for domain, row in zip(domains, values.tolist(), strict=True)
        }
        return cls(features=tuple(features), values=rows)


_Sides = TypeAdapter(dict[str, ByFeature])


def write_by_feature(path: Path, sides: Mapping[str, ByFeature]) -> None:
    """Write, or replace, the numbers of the user's and the item's side."""
    replace_file(path, _Sides.dump_json(dict(sides), indent=1) + b"\n")


def read_by_feature(path: Path) -> dict[str, ByFeature]:
    """The numbers of each side; empty where there is no file. Raises `AdiError` for one that is not of this form."""
    try:
        return _Sides.validate_json(path.read_bytes())
    except FileNotFoundError:
        return {}
    except ValidationError as error:
        raise AdiError(
            f"{path}: not numbers by feature as adi writes them ({error.error_count()} faults). "
            f"Run 'adi evaluate {path.parent}' again."
        ) from None
