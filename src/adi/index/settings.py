"""The settings of an index, and how it is kept on disk."""

from pydantic import Field

from adi.schema import Strict


class IndexSettings(Strict):
    """How the index of a domain's items is built.

    Below `exact_below` items the search is exact. From there on the items are divided into `nlist` lists (None: four
    times the root of their number) and a search reads some of them: as few as give `target` of the exact top `k`. At
    most `held_out` of the queries are used to find that number, half of them, and to confirm it, the other half.

    The lists are found in `training_points` items for each, drawn with `seed`, in `iterations` rounds of k-means.
    """

    k: int = Field(500, ge=1)
    target: float = Field(0.99, gt=0.0, le=1.0)
    exact_below: int = Field(100_000, ge=0)
    nlist: int | None = Field(None, ge=1)
    held_out: int = Field(1000, ge=20)
    training_points: int = Field(48, ge=1)
    iterations: int = Field(8, ge=1)
    seed: int = 0

    def lists(self, items: int) -> int:
        """The number of lists for so many items."""
        return min(items, self.nlist or max(1, int(4 * items**0.5)))
