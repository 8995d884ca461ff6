"""The manifest of a bundle: what it was made from, what is in it, and what was checked before it was published."""

from collections.abc import Mapping
from hashlib import blake2b
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError

from adi.bundle.user_tower import TowerInfo
from adi.errors import AdiError
from adi.schema import Strict, describe

FORMAT = 1
"""Raised whenever the layout of a bundle changes; bundles of another format are refused, never half understood."""

MANIFEST = "bundle.json"
DATA = "data"


class FileInfo(Strict):
    """Bytes of a file, and a digest of them (blake2b, 16 bytes)."""

    size: int
    digest: str


class Parity(Strict):
    """What was compared with the run before publishing, on so many real `queries` of a domain.

    `vectors` is the largest difference of a user vector's component, relative to the largest component of all; `recall`
    the mean share of the evaluator's top `k` that the index returned.
    """

    queries: int = Field(description="Real queries of the comparison with the run.")
    k: int = Field(description="Depth of the compared top, in items.")
    vectors: float = Field(
        description="Largest difference of a user vector's component from the model's, over the largest component."
    )
    recall: float = Field(description="Mean share of the evaluator's top k that the index returned, 0 to 1.")


class BidsInfo(Strict):
    """The log bids of a domain's items, in `file`, and what was checked: on so many real `queries` of the domain, for
    each of `weights`, the mean share of the exact top k by score + weight · log bid that the index returned.
    """

    file: str
    queries: int
    weights: tuple[float, ...]
    recalls: tuple[float, ...]


class DomainInfo(Strict):
    """A domain in a bundle: how many items can be retrieved there, its user tower, its index and what was checked."""

    items: int
    kind: Literal["exact", "ivf"]
    tower: TowerInfo
    index: str
    parity: Parity
    bids: BidsInfo | None = None


class BundleInfo(Strict):
    """``bundle.json``. `version` is a digest of all other files: what has the same version is the same bundle.

    `bid` is the items' attribute that the bids are from, where the bundle has any.
    """

    format: int
    version: str
    adi: str
    created: str
    model: str
    fingerprint: str
    bid: str | None = None
    domains: Mapping[str, DomainInfo]
    versions: Mapping[str, str]
    files: Mapping[str, FileInfo]


def digest_of(path: Path) -> FileInfo:
    """Size and digest of a file, read in pieces."""
    digest, size = blake2b(digest_size=16), 0
    with path.open("rb") as file:
        while piece := file.read(1 << 22):
            digest.update(piece)
            size += len(piece)
    return FileInfo(size=size, digest=digest.hexdigest())


def files_in(folder: Path) -> dict[str, FileInfo]:
    """Every file of a bundle but its manifest."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and path != folder / MANIFEST)
    return {path.relative_to(folder).as_posix(): digest_of(path) for path in paths}


def version_of(files: Mapping[str, FileInfo]) -> str:
    """The version of a bundle of these files."""
    lines = "".join(f"{name} {info.size} {info.digest}\n" for name, info in sorted(files.items()))
    return blake2b(lines.encode(), digest_size=6).hexdigest()


def read_bundle_info(folder: Path, *, verify: bool = False) -> BundleInfo:
    """Read a bundle's manifest and check that every file is there and of its size, with `verify` also its digest.

    Raises `AdiError` for a folder that is no bundle, one of another format, and one that is not whole.
    """
    path = folder / MANIFEST
    try:
        text = path.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        raise AdiError(
            f"{folder}: not a bundle (no {MANIFEST}). Make one with: adi export RUN --out {folder}"
        ) from None
    try:
        info = BundleInfo.model_validate_json(text)
    except ValidationError as error:
        fault = describe(error, BundleInfo)
        raise AdiError(f"{path}: not a manifest that this adi wrote: {fault}. Export the bundle again.") from None
    if info.format != FORMAT:
        raise AdiError(f"{path}: format {info.format}, and this adi reads format {FORMAT}. Export the bundle again.")
    for name, expected in info.files.items():
        file = folder / name
        size = file.stat().st_size if file.is_file() else None
        if size is None:
            raise AdiError(f"{file}: the file is missing from the bundle. Copy the bundle again, or export it again.")
        if size != expected.size or (verify and digest_of(file) != expected):
            found = f"{size} bytes of {expected.size}" if size != expected.size else "other content than was exported"
            raise AdiError(f"{file}: {found}. Copy the bundle again, or export it again.")
    return info
