"""Arms: what retrieves the candidates of requests. A served bundle, and two bounds that no bundle can pass.

The oracle knows the true scores of all users; the random arm knows nothing.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from adi.data.arrays import Array
from adi.errors import AdiError
from adi.online.world import World
from adi.retrieval.request import Request
from adi.retrieval.retriever import Retriever

BOUNDS = ("oracle", "random")
"""Names of the arms that are no bundles."""

SCORED_AT_ONCE = 2_000_000
"""Items of requests that the oracle scores at once."""

Recent = Mapping[int, Sequence[tuple[str, str]]]
"""The clicks of users since the start as (item, domain), oldest first, by user."""


class Arm(Protocol):
    """Retrieves the candidates of requests."""

    version: str

    def candidates(self, user: Array, domain: Array, hour: Array, recent: Recent) -> tuple[Array, Array]:
        """The items (B, K) int of B requests, best first, -1 where there are fewer, and their scores (B, K).

        Args:
            user, domain, hour: numbers (B,); the hour is that of the day.
            recent: the users' clicks since the start.
        """
        ...


class BundleArm:
    """A bundle that answers as its server would, with the users' new clicks as their recent events."""

    def __init__(self, bundle: Path, world: World, k: int) -> None:
        self.retriever, self.k = Retriever(bundle), k
        self.version = self.retriever.engine.version
        self.names = world.settings.domain_names
        if missing := [name for name in self.names if name not in self.retriever.domains]:
            raise AdiError(f"{bundle}: lacks domain '{missing[0]}' of the marketplace. Export a run that was trained on it.")
        self.has_hour = "hour" in {feature.name for feature in self.retriever.dataset.manifest.side("context")}

    def candidates(self, user: Array, domain: Array, hour: Array, recent: Recent) -> tuple[Array, Array]:
        """See `Arm.candidates`."""
        requests = [
            Request(
                self.names[number],
                user=str(who + 1),
                recent=recent.get(who, ()),
                context={"hour": str(at)} if self.has_hour else {},
                k=self.k,
            )
            for who, number, at in zip(user.tolist(), domain.tolist(), hour.tolist(), strict=True)
        ]
        items = np.full((len(requests), self.k), -1)
        scores = np.zeros(items.shape, dtype=np.float32)
        for row, top in enumerate(self.retriever.answer(requests)):
            if isinstance(top, AdiError):
                raise top
            items[row, : len(top.ids)] = [int(item) - 1 for item in top.ids]
            scores[row, : len(top.ids)] = top.scores
        return items, scores


class OracleArm:
    """The items with the highest true scores: an upper bound of what retrieval can reach."""

    version = "oracle"

    def __init__(self, world: World, k: int) -> None:
        self.world, self.k = world, k

    def candidates(self, user: Array, domain: Array, hour: Array, recent: Recent) -> tuple[Array, Array]:
        """See `Arm.candidates`."""
        every = np.arange(self.world.settings.items)
        size = max(1, SCORED_AT_ONCE // len(every))
        items, scores = [], []
        for first in range(0, len(user), size):
            part = slice(first, first + size)
            attraction = self.world.attractions(domain[part], user[part], np.broadcast_to(every, (len(user[part]), len(every))))
            top = np.argpartition(-attraction, self.k, axis=1)[:, : self.k]
            best = np.take_along_axis(attraction, top, axis=1)
            order = np.argsort(-best, axis=1)
            top, best = np.take_along_axis(top, order, axis=1), np.take_along_axis(best, order, axis=1)
            items.append(np.where(best > 0.0, top, -1))
            scores.append(np.log(np.maximum(best, 1e-30)).astype(np.float32))
        return np.concatenate(items), np.concatenate(scores)


class RandomArm:
    """Items of the domain at random: a lower bound."""

    version = "random"

    def __init__(self, world: World, k: int, rng: np.random.Generator) -> None:
        self.corpora = [np.flatnonzero(row > 0.0) for row in world.weight]
        self.k, self.rng = k, rng

    def candidates(self, user: Array, domain: Array, hour: Array, recent: Recent) -> tuple[Array, Array]:
        """See `Arm.candidates`; an item that is drawn twice is there once."""
        sizes = np.array([len(corpus) for corpus in self.corpora])[domain]
        positions = np.sort((self.rng.random((len(user), self.k)) * sizes[:, None]).astype(np.int64), axis=1)
        positions[:, 1:][positions[:, 1:] == positions[:, :-1]] = -1
        items = np.full(positions.shape, -1)
        for number, corpus in enumerate(self.corpora):
            rows = domain == number
            items[rows] = np.where(positions[rows] < 0, -1, corpus[positions[rows]])
        order = np.argsort(items < 0, axis=1, kind="stable")  # what is missing comes last
        return np.take_along_axis(items, order, axis=1), np.zeros(items.shape, dtype=np.float32)


def open_arm(name: str, bundle: Path | None, world: World, k: int, rng: np.random.Generator) -> Arm:
    """The arm of a bundle, or (None) the bound of that name."""
    if bundle is not None:
        return BundleArm(bundle, world, k)
    return OracleArm(world, k) if name == "oracle" else RandomArm(world, k, rng)
