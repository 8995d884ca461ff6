"""Warnings of a training that is not healthy, as ``log.jsonl`` has them."""

from typing import Literal

from adi.runs.record import Record

Kind = Literal[
    "empty domain",
    "few rows",
    "exploding gradients",
    "exploding embeddings",
    "dead tower",
    "dead network",
    "collapsed domain",
]


class HealthWarning(Record):
    """A sign that a training is not healthy, which does not stop it (`adi.training.health`).

    `step` is that of the epoch; None for a warning of a validation or of the start. `where` is the feature, layer or
    tower; `message` is a sentence that says all of it.
    """

    kind: Kind
    epoch: int
    step: int | None = None
    domain: str | None = None
    where: str | None = None
    message: str

    @property
    def subject(self) -> str:
        """The subject of the warning, of which a training warns once: of norms by kind, else by domain and place."""
        return self.kind if self.step is not None else f"{self.kind}, {self.domain}, {self.where}"
