"""Co-clicks: recommends what is clicked now, and what was clicked of late after the user's last items."""

from pydantic import Field
from torch import Tensor

from adi.data.arrays import Array
from adi.data.dataset import Dataset
from adi.data.queries import Queries
from adi.durations import Duration
from adi.models.counters import click_shares, co_click_shares, position_of, tensor
from adi.models.model import FittedModel
from adi.models.scorer import Score, Scorer
from adi.strict import Strict


class CoClickSettings(Strict):
    """Settings of co-clicks: half-lives of the schema's ``trend`` and its ``co_clicks``, by default the middle ones.

    `weight` is the weight of co-clicks relative to clicks, both as shares.
    """

    half_life: Duration | None = None
    co_click_half_life: Duration | None = None
    weight: float = Field(1.0, ge=0.0)


class CoClicks:
    """``score(v) = share of the domain's decayed clicks + weight * share of the co-clicks of the last items``."""

    def __init__(self, life: int, co_click_life: int, weight: float) -> None:
        self.life, self.co_click_life, self.weight = life, co_click_life, weight

    def against(self, domain: int, items: Array) -> Score:
        def score(queries: Queries) -> Tensor:
            clicks = click_shares(queries, domain, items, self.life)
            return tensor(clicks + self.weight * co_click_shares(queries, items, self.co_click_life))

        return score


def _lives(dataset: Dataset, settings: CoClickSettings) -> tuple[int, int]:
    trend = dataset.manifest.trend
    of_clicks = trend.half_lives if trend else ()
    of_co_clicks = trend.co_clicks.half_lives if trend and trend.co_clicks else ()
    positions = []
    for name, half_life, half_lives in (
        ("half_life", settings.half_life, of_clicks),
        ("co_click_half_life", settings.co_click_half_life, of_co_clicks),
    ):
        if half_life is None and half_lives:
            positions.append((len(half_lives) - 1) // 2)
        else:
            positions.append(position_of(half_life or "1d", dataset, half_lives, name=name))
    return positions[0], positions[1]


def _check(dataset: Dataset, settings: CoClickSettings) -> None:
    _lives(dataset, settings)


def _fit(dataset: Dataset, settings: CoClickSettings) -> Scorer:
    return CoClicks(*_lives(dataset, settings), settings.weight)


CO_CLICKS = FittedModel(
    name="co-clicks",
    summary="what is clicked now, and after the user's last items; needs a log with trends",
    settings=CoClickSettings,
    fit=_fit,
    check=_check,
    search={"weight": {"low": 0.1, "high": 10.0, "log": True}},
)
