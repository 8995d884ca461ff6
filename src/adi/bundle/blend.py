"""The blend of a bundle: the neighbours of items, one folder for all domains and one for each (`adi.data.blend`)."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from adi.data.blend import Blend, BlendWeights, ItemNeighbours

EVERYWHERE = "neighbours/all"


def folder_of(domain: int) -> str:
    """The folder of the neighbours by the rows of one domain."""
    return f"neighbours/{domain}"


def write_blend(bundle: Path, blend: Blend) -> None:
    """Write the neighbours that have a weight in some domain."""
    if any(weights.everywhere for weights in blend.weights.values()):
        blend.everywhere.save(bundle / EVERYWHERE)
    for domain, weights in blend.weights.items():
        if weights.here:
            blend.here[domain].save(bundle / folder_of(domain))


def open_blend(bundle: Path, weights: Mapping[int, BlendWeights], domains: Iterable[int], num_items: int) -> Blend:
    """Open the blend of some domains of a bundle, whose files stay on disk, in the page cache."""
    folder = bundle / EVERYWHERE
    everywhere = ItemNeighbours.open(folder, num_items) if folder.exists() else ItemNeighbours.none(num_items)
    here = {
        domain: ItemNeighbours.open(bundle / folder_of(domain), num_items) for domain in domains if weights[domain].here
    }
    return Blend(everywhere, here, weights)
