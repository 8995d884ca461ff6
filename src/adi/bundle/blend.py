"""The blend of a bundle (`adi.data.blend`): neighbours of items and their followers, of all domains and of each.

neighbours/all, neighbours/DOMAIN    the nearest items of each item, by the rows of all domains and of one
followers/all, followers/DOMAIN      the items that follow each item, likewise
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

from adi.data.blend import FOLLOWS, SIMILAR, Blend, BlendWeights, ByScope, Fields, ItemNeighbours

NEIGHBOURS, FOLLOWERS = "neighbours", "followers"
EVERYWHERE = "all"


def write_blend(bundle: Path, blend: Blend) -> None:
    """Write the neighbours and followers that have a weight in some domain."""
    for name, kept, fields in ((NEIGHBOURS, blend.similar, SIMILAR), (FOLLOWERS, blend.followers, FOLLOWS)):
        in_all, in_one = fields
        if any(getattr(weights, in_all) for weights in blend.weights.values()):
            kept.everywhere.save(bundle / name / EVERYWHERE)
        for domain, weights in blend.weights.items():
            if getattr(weights, in_one):
                kept.here[domain].save(bundle / name / str(domain))


def open_blend(bundle: Path, weights: Mapping[int, BlendWeights], domains: Iterable[int], num_items: int) -> Blend:
    """Open the blend of some domains of a bundle, whose files stay on disk, in the page cache."""

    def opened(name: str, fields: Fields) -> ByScope:
        folder, in_one = bundle / name, fields[1]
        everywhere = folder / EVERYWHERE
        return ByScope(
            ItemNeighbours.open(everywhere, num_items) if everywhere.exists() else ItemNeighbours.none(num_items),
            {
                domain: ItemNeighbours.open(folder / str(domain), num_items)
                for domain in served
                if getattr(weights[domain], in_one)
            },
        )

    served = tuple(domains)
    return Blend(opened(NEIGHBOURS, SIMILAR), opened(FOLLOWERS, FOLLOWS), weights)
