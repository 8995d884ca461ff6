"""The card of an index: the small JSON file beside it, with its size, settings and measured recall."""

from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError

from adi.errors import AdiError
from adi.strict import Strict, describe

FORMAT = 2
"""Incremented whenever the layout of an index changes; an index of another format is refused."""

CARD, VECTORS, LOCATIONS = "index.json", "vectors.faiss", "places.npy"


class Point(Strict):
    """Recall@k and latency of one query on one thread, in milliseconds, with `nprobe` lists read."""

    nprobe: int = Field(description="Lists read.")
    recall: float = Field(description="Mean recall of the exact top k, 0 to 1.")
    p50_ms: float = Field(description="Median latency of one query on one thread, in milliseconds.")
    p99_ms: float = Field(description="99th percentile of the latency, in milliseconds.")


class ProbeDepth(Strict):
    """The lists to read for the top `depth` items to be found as completely as the top k are with the tuned number.

    Reading `probes[i]` lists finds the share `adi.index.probe_depth.SHARES[i]` of them.
    """

    depth: int = Field(description="Depth of the ranking, in items.")
    nprobe: int = Field(description="Lists to read for a recall at this depth as high as at the top k.")
    probes: tuple[int, ...] = Field(description="Lists that hold rising shares of the ranking.")


class IndexCard(Strict):
    """Contents and measurements of an index.

    `recall` of the top `k` against exact search was measured on `confirmed_on` queries, none of them among the
    `tuned_on` that chose `nprobe`. `reach` has a probe depth for k and for each doubling of it. An exact index has no
    lists and a recall of 1. `bytes` is the size of the vectors' file.
    """

    format: int = Field(description="Version of the index's file layout.")
    kind: Literal["exact", "ivf"] = Field(description="`exact` compares every vector, `ivf` the vectors of some lists.")
    items: int = Field(description="Number of vectors.")
    dim: int = Field(description="Components of a vector.")
    k: int = Field(description="Depth of the measured top, in items.")
    target: float = Field(description="Recall that was asked for, 0 to 1.")
    recall: float = Field(description="Mean recall of the exact top k, 0 to 1.")
    nlist: int | None = Field(description="Number of lists; null for an exact index.")
    nprobe: int | None = Field(description="Lists that a search reads; null for an exact index.")
    tuned_on: int = Field(description="Queries that chose `nprobe`.")
    confirmed_on: int = Field(description="Other queries that measured `recall`.")
    curve: tuple[Point, ...] = Field(description="Recall and latency by lists read, on the tuning queries.")
    reach: tuple[ProbeDepth, ...] = Field(description="Lists that other depths need.")
    seed: int = Field(description="Seed of the choice of centroids and queries.")
    faiss: str = Field(description="Version of faiss that built the index.")
    bytes: int = Field(description="Size of the vectors' file in bytes.")


def read_card(folder: Path) -> IndexCard:
    """Read an index's card and check the size of its vectors' file.

    Raises `AdiError` for a folder without an index of this format, and for a file of vectors that is incomplete.
    """
    path, vectors = folder / CARD, folder / VECTORS
    try:
        card = IndexCard.model_validate_json(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise AdiError(f"{folder}: not an index (no {CARD}). Build the index again.") from None
    except (ValidationError, UnicodeDecodeError) as error:
        reason = describe(error, IndexCard) if isinstance(error, ValidationError) else str(error)
        raise AdiError(f"{path}: not a card of format {FORMAT}: {reason}. Build the index again.") from None
    if card.format != FORMAT:
        raise AdiError(f"{path}: format {card.format}, and this adi reads format {FORMAT}. Build the index again.")
    # Checked before anything is mapped: reading past the end of a truncated file ends the process.
    size = vectors.stat().st_size if vectors.is_file() else None
    if size != card.bytes:
        state = "is missing" if size is None else f"has {size} bytes"
        raise AdiError(
            f"{vectors}: {state}, and {CARD} says {card.bytes}. Copy the file again, or build the index again."
        )
    return card
