"""The ranking stage, the same for all arms: which candidates may be shown, and their predicted CTR.

Its error belongs to a request and an item: candidates that two arms retrieve for a request are predicted alike.
"""

from dataclasses import dataclass

import numpy as np

from adi.data.arrays import Array
from adi.online.arms import Moment
from adi.online.settings import Online
from adi.online.world import World


@dataclass(frozen=True, kw_only=True)
class Ranked:
    """K candidates of B requests, as the ranking stage sees them, and the truth of them.

    Shapes:
        items: (B, K), -1 where there is none. predicted: predicted CTR, above 0, (B, K). bid: (B, K).
        eligible: (B, K) bool, may be shown if the bid is at least the reserve. reserve: (B,).
        attraction: the true exp f (B, K). outside: the attraction of doing something else (B,).
    """

    items: Array
    predicted: Array
    bid: Array
    eligible: Array
    reserve: Array
    attraction: Array
    outside: Array


class RankingStage:
    """Predicts the CTR of candidates as their true attraction with an error."""

    def __init__(self, world: World, online: Online) -> None:
        self.world, self.outside = world, online.outside
        self.noise = online.ranking_noise
        self.reserve = online.reserve * np.array([np.median(bid[bid > 0.0]) for bid in world.bid])

    def rank(self, moment: Moment, items: Array, error: Array) -> Ranked:
        """Rank candidates `items` (B, K); `error` (B, K) is standard normal."""
        world, candidate = self.world, np.maximum(items, 0)
        attraction = world.attractions(moment.domain, moment.user, candidate)
        outside = self.outside * world.masses(moment.domain, moment.user)
        noisy = attraction * np.exp(self.noise * error)
        return Ranked(
            items=items,
            predicted=np.maximum(noisy / (outside[:, None] + noisy), 1e-12),
            bid=world.bid[moment.domain[:, None], candidate],
            eligible=(items >= 0) & (attraction > 0.0) & moment.is_live[candidate] & ~moment.has_seen(candidate),
            reserve=self.reserve[moment.domain],
            attraction=attraction,
            outside=outside,
        )
