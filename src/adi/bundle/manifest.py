"""The manifest of a bundle, ``bundle.json``: its model, domains, files, and the checks made before publishing."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import pyarrow as pa
from pydantic import Field, ValidationError

from adi.data.blend import BlendWeights
from adi.data.coding import Unknown
from adi.data.sealed import FileInfo, Files, check_files, digest_of, unsealed
from adi.errors import AdiError
from adi.frames import html_of
from adi.strict import Strict, describe

FORMAT = 2
"""Incremented whenever the layout of a bundle changes; a bundle of another format is refused."""

MANIFEST = "bundle.json"
DATA = "data"
LIVE = "LIVE"
"""In a folder of bundles: the file with the name of the one to serve (`adi rollback`); without it, the newest is."""

REMEDY = "Copy the bundle again, or export it again."

COUNTERS = "counters.npz"
"""The counters of clicks at the end of the log, of a bundle with trends (`adi.data.live_clicks.LiveClicks.save`)."""


class PaddedFeature(Strict):
    """One feature's `width` slots in a user tower's input; its table begins at row `first` of the packed tables."""

    feature: str
    first: int
    width: int


class TowerInfo(Strict):
    """The user tower of a domain: the files of its packed tables and of its graph, and the padding of its input."""

    tables: str
    graph: str
    slots: tuple[PaddedFeature, ...]


class Parity(Strict):
    """The comparison of a domain with its run, before the bundle was published."""

    queries: int = Field(description="Real queries of the comparison with the run.")
    k: int = Field(description="Depth of the compared top, in items.")
    vectors: float = Field(
        description="Largest difference of a user vector's component from the model's, over the largest component."
    )
    recall: float = Field(description="Mean share of the evaluator's top k that the index returned, 0 to 1.")


class BidsInfo(Strict):
    """The log bids of a domain's items, in `file`, and the recall with them.

    `recalls` has for each of `weights` the mean share of the exact top k by score + weight · log bid that the index
    returned, on that many real `queries` of the domain.
    """

    file: str
    queries: int
    weights: tuple[float, ...]
    recalls: tuple[float, ...]


class AudienceInfo(Strict):
    """The audiences of a model's items: the width of a taste, and whether an item has one audience for each domain."""

    dim: int
    by_domain: bool


class TrendsInfo(Strict):
    """The graphs of a domain's trends: of the coordinates of items, and of the scores of co-clicks, where counted.

    `audience` describes the audiences that the graph of coordinates takes; None: it takes none. Its last coordinates
    are then what an item's audience adds to its vector.
    """

    items: str
    co_clicks: str | None = None
    audience: AudienceInfo | None = None


class DomainInfo(Strict):
    """A domain of a bundle: the number of items that can be retrieved, its user tower, index, bids and trends, and
    checks."""

    items: int
    kind: Literal["exact", "ivf"]
    tower: TowerInfo
    index: str
    parity: Parity
    bids: BidsInfo | None = None
    trends: TrendsInfo | None = None


class BundleInfo(Strict):
    """Contents of ``bundle.json``.

    `version` is a digest of all other files, so that bundles of one version are the same. `bid` is the items' attribute
    that the bids come from, if the bundle has bids. `blend` has the weights of the blend by domain, if it has one.
    `fingerprint` is that of the bundle's data; `unknown` counts the values in it that the run does not know, if it is
    not the run's own.
    """

    format: int
    version: str
    adi: str
    created: str
    model: str
    fingerprint: str
    unknown: tuple[Unknown, ...] = ()
    bid: str | None = None
    blend: Mapping[str, BlendWeights] | None = None
    domains: Mapping[str, DomainInfo]
    versions: Mapping[str, str]
    files: Mapping[str, FileInfo]

    def __repr__(self) -> str:
        items = sum(domain.items for domain in self.domains.values())
        return f"<Bundle of {self.model}, version {self.version}: {len(self.domains)} domains, {items:,} items>"

    def __str__(self) -> str:
        return repr(self)

    def to_frame(self) -> pa.Table:
        """Return an Arrow table with a row for each domain (`adi.frames`): its items, and the recall of its index."""
        rows = [
            {"domain": name, "items": domain.items, "index": domain.kind, "recall": domain.parity.recall}
            for name, domain in self.domains.items()
        ]
        return pa.Table.from_pylist(rows)

    def _repr_html_(self) -> str:
        """Return a table for notebooks."""
        return html_of(self.to_frame())


def export_time(created: str, written: Callable[[], datetime | None]) -> str:
    """The time of an export, to order bundles by; if it is still to come, that at which the manifest was `written`.

    A bundle from the future, of a machine whose clock was wrong, would hide all later ones. Where nobody knows when it
    was written, it comes before all others.
    """
    if created <= datetime.now(UTC).isoformat(timespec="microseconds"):
        return created
    time = written()
    return "" if time is None else time.astimezone(UTC).isoformat(timespec="microseconds")


def version_of(files: Files) -> str:
    """Return the version of a bundle with these files."""
    return digest_of(files, size=6)


def parse_bundle_info(content: bytes, name: str | Path) -> BundleInfo:
    """Parse the content of a bundle's manifest; `name` stands for it in messages.

    Raises `AdiError` for one that adi did not write so, of another format, or with another version than its files have.
    """
    try:
        info = BundleInfo.model_validate_json(unsealed(content, name, REMEDY))
    except ValidationError as error:
        reason = describe(error, BundleInfo)
        raise AdiError(f"{name}: not a manifest that this adi wrote: {reason}. Export the bundle again.") from None
    if info.format != FORMAT:
        raise AdiError(f"{name}: format {info.format}, and this adi reads format {FORMAT}. Export the bundle again.")
    if info.version != version_of(info.files):
        raise AdiError(f"{name}: version {info.version}, but its files are of {version_of(info.files)}. {REMEDY}")
    return info


def read_bundle_info(bundle: Path, *, verify: bool = False) -> BundleInfo:
    """Read a bundle's manifest and check that every file is there with its size, and with `verify` its digest.

    Raises `AdiError` for a folder that is not a bundle, one of another format, and one that is incomplete.
    """
    info = read_bundle_manifest(bundle)
    check_files(bundle, info.files, digests=verify, remedy=REMEDY)
    return info


def read_bundle_manifest(bundle: Path) -> BundleInfo:
    """Read a bundle's manifest alone. Raises `AdiError` for a folder that is not a bundle of this format."""
    path = bundle / MANIFEST
    try:
        content = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise AdiError(
            f"{bundle}: not a bundle (no {MANIFEST}). Make one with: adi export RUN --out {bundle}"
        ) from None
    return parse_bundle_info(content, path)
