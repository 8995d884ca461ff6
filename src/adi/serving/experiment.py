"""Experiments: several bundles served at once, each to the users of its arm.

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
from adi.strict import Strict, read_yaml

Assignment = Literal["hash", "header", "none"]
"""The ways to choose the arm of a request: the hash of the user's id, the header, or none (the control, for nobody)."""

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]+$", max_length=100)]
"""Name of an experiment or an arm, which becomes a header's value and a metric's label."""


class Arm(Strict):
    """A bundle and its weight: the arm's share of the users is its weight over the sum of all weights."""

    bundle: Path
    weight: float = Field(gt=0.0, allow_inf_nan=False)


class Experiment(Strict):
    """The content of an experiment's file, whose paths are relative to its folder.

    The `salt`, by default the name, seeds the assignment of users: experiments with the same salt and arms assign them
    alike, experiments with different salts independently. The arm `control` answers requests without a user.
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
                f"arms: an experiment needs at least two ({names or 'none'} given). Add one, or serve one bundle."
            )
        if self.control not in self.arms:
            raise ValueError(
                f"control: '{self.control}' is not one of the arms ({names}). Name the arm that answers requests "
                f"without a user.{suggestion(self.control, self.arms)}"
            )
        return self

    @property
    def shares(self) -> dict[str, float]:
        """Each arm's share of the users."""
        total = sum(arm.weight for arm in self.arms.values())
        return {name: arm.weight / total for name, arm in self.arms.items()}

    def arm_of(self, user: str) -> str:
        """The arm of a user: the same on every server and after every start, whatever the order of the arms.

        The logarithmic method of Schindelhauer and Schomaker, "Weighted Distributed Hash Tables" (SPAA 2005): each arm
        hashes its name, the salt and the user's id to a number u in (0, 1), and the least -ln(u) / weight wins. These
        are exponential variables with the weights as rates, so each arm wins with the probability of its share. When
        weights or arms change, users move only to arms that grew or are new, and from arms that shrank or are gone;
        with one interval of [0, 1) for each arm, users would also move between arms that did not change.
        """
        return min(self.arms, key=lambda name: -log(self._uniform(name, user)) / self.arms[name].weight)

    def _uniform(self, arm: str, user: str) -> float:
        """A number in (0, 1) from the hash of an arm and a user."""
        text = f"{self.salt or self.name}\0{arm}\0{user}"
        number = int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big")
        return (number + 0.5) / 2**64


def load_experiment(path: Path) -> Experiment:
    """Read and check an experiment's file; raises `AdiError` naming the file, the key and the value at fault."""
    experiment = read_yaml(path, Experiment)
    arms = {name: arm.model_copy(update={"bundle": path.parent / arm.bundle}) for name, arm in experiment.arms.items()}
    return experiment.model_copy(update={"arms": arms})


def assignment_of(user: str | None, header: str | None) -> Assignment:
    """The way that the arm of a request is chosen, given its user and its header with the name of an arm."""
    if header is not None:
        return "header"
    return "none" if user is None else "hash"
