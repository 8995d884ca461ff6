"""Engines: find the top k of a domain's items, with a run's model or with a bundle."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from adi.bundle.portion import WHOLE, Portion
from adi.data.arrays import Array
from adi.data.dataset import Dataset
from adi.data.queries import Queries
from adi.errors import ArgumentError
from adi.index.allowed import AllowedItems
from adi.index.topk import Hits

if TYPE_CHECKING:
    from adi.models.model import Model as Model


class Engine(Protocol):
    """Searches the items of each domain, which it identifies by position among them.

    `version` is the version of a bundle, or the path of a run.
    """

    dataset: Dataset
    version: str

    def about(self) -> dict[str, Any]:
        """Describe the model and its provenance, in plain values."""
        ...

    def source(self) -> dict[str, str | None]:
        """Identify what answers, by name: of two engines with the same source, all answers are the same."""
        ...

    def items(self, domain: int) -> Array:
        """Return the numbers of the items that can be retrieved in a domain (m,), ascending."""
        ...

    def tastes(self, domain: int, queries: Queries) -> Array:
        """Return the vectors of n queries, all of one domain (n, interests, dim), without weights of trends.

        Raises `AdiError` for an engine that scores without them.
        """
        ...

    def search(
        self,
        domain: int,
        queries: Queries,
        k: int,
        *,
        allowed: AllowedItems | None = None,
        excluded: Sequence[Array],
        bid_weight: float = 0.0,
    ) -> list[Hits]:
        """Return the top `k` items for each of n queries, all of one domain.

        Args:
            allowed: the items to search; all if None.
            excluded: for each query, the positions of items to leave out.
            bid_weight: above 0, scores are those of the model + weight · log bid.

        Raises `AdiError` for a weight without bids.
        """
        ...


def open_engine(
    path: Path,
    *,
    bid: str | None = None,
    model: "str | Model | None" = None,
    prepared: str | Path | None = None,
    portion: Portion = WHOLE,
    verify: bool = False,
) -> Engine:
    """Open a run or a bundle; raises `AdiError` as opening either does, and for arguments that a bundle does not take.

    Imports are lazy, as each needs packages that the other does without: a server of bundles runs without torch.
    """
    if (path / "bundle.json").exists():
        for parameter, value, own in (
            ("bid", bid, "bid"),
            ("model", model, "model"),
            ("prepared", prepared, "data"),
        ):
            if value is not None:
                raise ArgumentError(parameter, f"{path} is a bundle, which brings its own {own}. Leave it out.")
        from adi.bundle.engine import BundleEngine

        return BundleEngine(path, portion=portion, verify=verify)
    if portion != WHOLE:
        raise ArgumentError("portion", f"{path} is a run, which is searched as a whole. Export it as a bundle.")
    from adi.training.engine import RunEngine

    return RunEngine(path, bid=bid, model=model, prepared=prepared, verify=verify)
