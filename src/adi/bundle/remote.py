"""A bundle in an object store, copied to this machine: whole, compared with its digests, and once for each version."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any

import fsspec

from adi.bundle.manifest import MANIFEST, BundleInfo, parse_bundle_info, read_bundle_info
from adi.data.folder import new_folder
from adi.errors import AdiError, ArgumentError

CACHE = "ADI_CACHE"
"""The environment variable of the folder of copies; by default ``~/.cache/adi``."""


class StoreError(AdiError):
    """A store that does not answer, or not with what was asked for; it may do so later."""


def is_remote(address: str | Path) -> bool:
    """Whether an address is one of a store, such as ``s3://bucket/bundle``, and not a path."""
    return "://" in str(address)


def cache_folder() -> Path:
    """Return the folder of copies."""
    return Path(os.environ.get(CACHE, Path.home() / ".cache" / "adi"))


@contextmanager
def store_errors(what: str) -> Iterator[None]:
    """Raise any error of the block as a `StoreError` of `what`: each platform's package has exceptions of its own."""
    try:
        yield
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise StoreError(f"{what} ({reason}).") from None


def written_at(store: Any, path: str) -> datetime | None:
    """When a file was written, as its store says; None for a store that does not say."""
    try:
        time: datetime = store.modified(path)
    except NotImplementedError:
        return None
    return time


def local_copy(address: str, cache: Path | None = None) -> Path:
    """The folder of a copy of a bundle, ``CACHE/VERSION``; made unless it is there.

    Servers on one machine share it: while one copies, others may do so too, and the first that is done is kept.

    Raises `ArgumentError` for an address that cannot be read, `StoreError` for a file that cannot be copied, and
    `AdiError` for a bundle that is incomplete or not as it was exported.
    """
    cache = cache or cache_folder()
    try:
        store, root = fsspec.core.url_to_fs(address)
        content = store.cat_file(f"{root}/{MANIFEST}")
    except (ImportError, ValueError, OSError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ArgumentError("bundle", f"{address}: cannot be read ({reason}).") from None
    info = parse_bundle_info(content, f"{address}/{MANIFEST}")
    folder = cache / info.version
    if not folder.exists():
        try:
            with new_folder(folder) as unfinished:
                _copy(store, root, info, unfinished, address)
                (unfinished / MANIFEST).write_bytes(content)
                with store_errors(f"{address}/{MANIFEST}: cannot be read"):
                    written = written_at(store, f"{root}/{MANIFEST}")
                if written is not None:  # by which a bundle from the future is ordered, here as there
                    os.utime(unfinished / MANIFEST, (written.timestamp(),) * 2)
                read_bundle_info(unfinished, verify=True)
        except ArgumentError:
            if not folder.exists():  # else another server was first
                raise
    read_bundle_info(folder)
    return folder


def _copy(store: Any, root: str, info: BundleInfo, folder: Path, address: str) -> None:
    for name in info.files:
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts:
            raise AdiError(f"{address}: names the file '{name}', which is outside of the bundle.")
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        with store_errors(f"{address}: {name} cannot be copied"):
            store.get_file(f"{root}/{name}", str(folder / path))
