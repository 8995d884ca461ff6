"""An experiment: several bundles that are served at once, its arms, and which of them answers whom.

name: ranker-2
arms:
  control: {bundle: bundles/2026-11-23, weight: 0.9}
  treatment: {bundle: bundles/2026-11-24, weight: 0.1}
"""

from hashlib import blake2b
from math import log
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from adi.errors import suggestion
from adi.schema import Strict, read_yaml

Assignment = Literal["hash", "header", "none"]
"""What chose the arm: the hash of the user's id, the header, or nothing, for nobody's request goes to the control."""

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]+$", max_length=100)]
"""Of an experiment or an arm, which becomes the value of a header and of a metric's label."""


class Arm(Strict):
    """A bundle, and its share of the users: its weight by the sum of all weights."""

    bundle: Path
    weight: float = Field(gt=0.0, allow_inf_nan=False)


class Experiment(Strict):
    """The content of an experiment's file; paths are relative to its folder.

    Experiments of one `salt`, by default the name, divide the users between the same arms in the same way, those of
    different salts independently of each other. The arm `control` answers requests that have no user.
    """

    name: Name
    salt: str | None = Field(None, min_length=1)
    control: Name = "control"
    arms: dict[Name, Arm]

    @model_validator(mode="after")
    def _consistent(self) -> "Experiment":
        names = ", ".join(self.arms)
        if len(self.arms) < 2:
            raise ValueError(
                f"arms: an experiment has at least two ({names or 'none'} given). Add one, or serve the bundle alone."
            )
        if self.control not in self.arms:
            raise ValueError(
                f"control: '{self.control}' is not one of the arms ({names}). Name the one that answers requests "
                f"without a user.{suggestion(self.control, self.arms)}"
            )
        return self

    @property
    def shares(self) -> dict[str, float]:
        """The share of the users that each arm gets."""
        total = sum(arm.weight for arm in self.arms.values())
        return {name: arm.weight / total for name, arm in self.arms.items()}

    def arm_of(self, user: str) -> str:
        """The arm of a user: the same on every server and after every start, whatever the order of the arms.

        Each arm draws a number u in (0, 1] for the user, a hash of the salt, the arm's name and the user's id, and the
        least -ln(u) / weight wins: the first of events that come at rates of the weights, which is each with the
        probability of its share. It is the logarithmic method of Schindelhauer and Schomaker, "Weighted Distributed
        Hash Tables" (SPAA 2005). To cut [0, 1) into an interval for each arm would do for two; of more, a larger weight
        would shift the intervals beside it, and users would change between arms that did not. Here a user only goes to
        an arm whose weight rose or that is new, or leaves one whose weight fell or that is gone.
        """
        return min(self.arms, key=lambda name: -log(self._drawn(name, user)) / self.arms[name].weight)

    def _drawn(self, arm: str, user: str) -> float:
        text = f"{self.salt or self.name}\0{arm}\0{user}"
        number = int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big")
        return (number + 0.5) / 2**64


def load_experiment(path: Path) -> Experiment:
    """Read and check an experiment's file. Raises `AdiError` naming the file, the key and the value at fault."""
    read = read_yaml(path, Experiment)
    arms = {name: arm.model_copy(update={"bundle": path.parent / arm.bundle}) for name, arm in read.arms.items()}
    return read.model_copy(update={"arms": arms})


def assignment_of(user: str | None, named: str | None) -> Assignment:
    """What chooses the arm of a request of a user, or of nobody, whose header names one, or none."""
    if named is not None:
        return "header"
    return "none" if user is None else "hash"
