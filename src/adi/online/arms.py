"""Arms: what retrieves the candidates of requests. A served bundle, and two bounds that no bundle can pass.

The oracle knows the truth of all users and items; the random arm knows nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
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

SPARE = 100
"""Items beyond k that the oracle looks at, for some have been clicked."""


@dataclass(frozen=True, kw_only=True)
class Moment:
    """B requests, and what is true when they are made.

    Shapes:
        user, domain, hour: (B,) numbers; the hour is that of the day. is_live: (I,) bool, on line and paid for.
        seen: keys user · I + item of all clicks so far, ascending.

    `recent` are the users' clicks since the start as (item, domain), oldest first.
    """

    user: Array
    domain: Array
    hour: Array
    recent: Mapping[int, Sequence[tuple[str, str]]]
    is_live: Array
    seen: Array

    def has_seen(self, items: Array) -> Array:
        """Whether the users have clicked `items` (B, K)."""
        keys = self.user[:, None] * len(self.is_live) + items
        if not len(self.seen):
            return np.zeros(keys.shape, dtype=bool)
        positions = np.minimum(np.searchsorted(self.seen, keys), len(self.seen) - 1)
        return np.asarray(self.seen[positions] == keys)


class Arm(Protocol):
    """Retrieves the candidates of requests. `bid_weight` (D,) is that of its requests in each domain."""

    version: str
    bid_weight: Array

    def candidates(self, moment: Moment) -> tuple[Array, Array]:
        """The items (B, K) int of B requests, best first, -1 where there are fewer, and their scores (B, K)."""
        ...


class BundleArm:
    """A bundle that answers as its server would, with the users' new clicks as their recent events.

    Args:
        bid_weight: as a multiple of the middle one of the bundle's ``weights`` (`Online.bid_weights`).
    """

    def __init__(self, bundle: Path, world: World, k: int, bid_weight: float = 0.0) -> None:
        self.retriever, self.k = Retriever(bundle), k
        self.version = self.retriever.engine.version
        self.names = world.settings.domain_names
        if missing := [name for name in self.names if name not in self.retriever.domains]:
            raise AdiError(
                f"{bundle}: lacks domain '{missing[0]}' of the marketplace. Export a run that was trained on it."
            )
        self.bid_weight = np.zeros(len(self.names))
        if bid_weight:
            self.bid_weight = bid_weight * middle_weights(self.retriever, self.names, bundle)
        self.has_hour = "hour" in {feature.name for feature in self.retriever.dataset.manifest.side("context")}

    def candidates(self, moment: Moment) -> tuple[Array, Array]:
        """See `Arm.candidates`."""
        requests = [
            Request(
                self.names[number],
                user=str(who + 1),
                recent=moment.recent.get(who, ()),
                context={"hour": str(at)} if self.has_hour else {},
                k=self.k,
                bid_weight=weight,
            )
            for who, number, at, weight in zip(
                moment.user.tolist(),
                moment.domain.tolist(),
                moment.hour.tolist(),
                self.bid_weight[moment.domain].tolist(),
                strict=True,
            )
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
    """The live items with the highest true attraction × bid, which the user has not clicked: a bound of RPM.

    The ranking stage fills the slots by predicted CTR × bid, so that no other candidates are worth more. (Their CTR may
    be lower than that of items which are chosen by attraction alone.) It does not plan ahead: an arm that spends the
    budgets more slowly may pass it by a little.
    """

    version = "oracle"

    def __init__(self, world: World, k: int) -> None:
        self.world, self.k = world, min(k, world.settings.items - 1)
        self.bid_weight = np.zeros(world.settings.domains)

    def candidates(self, moment: Moment) -> tuple[Array, Array]:
        """See `Arm.candidates`."""
        live = np.flatnonzero(moment.is_live)
        depth, size = min(self.k + SPARE, len(live)), max(1, SCORED_AT_ONCE // max(1, len(live)))
        items, scores = np.full((len(moment.user), self.k), -1), np.zeros((len(moment.user), self.k), dtype=np.float32)
        for first in range(0, len(moment.user), size):
            rows = np.arange(first, min(first + size, len(moment.user)))
            every = np.broadcast_to(live, (len(rows), len(live)))
            value = self.world.attractions(moment.domain[rows], moment.user[rows], every)
            value *= self.world.bid[moment.domain[rows][:, None], live]
            top = np.argpartition(-value, depth - 1, axis=1)[:, :depth]
            best = np.take_along_axis(value, top, axis=1)
            best[replace(moment, user=moment.user[rows]).has_seen(live[top])] = 0.0
            order = np.argsort(-best, axis=1)[:, : self.k]
            top, best = np.take_along_axis(top, order, axis=1), np.take_along_axis(best, order, axis=1)
            items[rows, : top.shape[1]] = np.where(best > 0.0, live[top], -1)
            scores[rows, : top.shape[1]] = np.log(np.maximum(best, 1e-30))
        return items, scores


class RandomArm:
    """Items of the domain at random: a lower bound."""

    version = "random"

    def __init__(self, world: World, k: int, rng: np.random.Generator) -> None:
        self.corpora = [np.flatnonzero(row > 0.0) for row in world.weight]
        self.k, self.rng = k, rng
        self.bid_weight = np.zeros(world.settings.domains)

    def candidates(self, moment: Moment) -> tuple[Array, Array]:
        """See `Arm.candidates`; an item that is drawn twice is there once."""
        sizes = np.array([len(corpus) for corpus in self.corpora])[moment.domain]
        positions = np.sort((self.rng.random((len(moment.user), self.k)) * sizes[:, None]).astype(np.int64), axis=1)
        positions[:, 1:][positions[:, 1:] == positions[:, :-1]] = -1
        items = np.full(positions.shape, -1)
        for number, corpus in enumerate(self.corpora):
            rows = moment.domain == number
            items[rows] = np.where(positions[rows] < 0, -1, corpus[positions[rows]])
        order = np.argsort(items < 0, axis=1, kind="stable")  # what is missing comes last
        return np.take_along_axis(items, order, axis=1), np.zeros(items.shape, dtype=np.float32)


def middle_weights(retriever: Retriever, domains: Sequence[str], bundle: Path) -> Array:
    """The bid weights (D,) at which bids spread scores as widely as the model does, as the export measured them.

    Raises `AdiError` for a bundle without bids.
    """
    bids = [retriever.engine.about()["indexes"][name]["bids"] for name in domains]
    if None in bids:
        raise AdiError(f"{bundle}: has no bids. Export its run with --bid, or leave its bid weight out.")
    return np.array([each["weights"][1] for each in bids])


def open_arm(
    name: str, bundle: Path | None, world: World, k: int, rng: np.random.Generator, bid_weight: float = 0.0
) -> Arm:
    """The arm of a bundle, or (None) the bound of that name, which ignores bids or knows them."""
    if bundle is not None:
        return BundleArm(bundle, world, k, bid_weight)
    return OracleArm(world, k) if name == "oracle" else RandomArm(world, k, rng)
