"""A folder of bundles in an object store: its bundles, their files, and the choice of one by name."""

from collections.abc import Mapping
from typing import Any

import fsspec

from adi.bundle.manifest import LIVE, MANIFEST, BundleInfo, export_time, parse_bundle_info
from adi.bundle.remote import store_errors, written_at
from adi.errors import AdiError, ArgumentError

Listing = Mapping[str, Any]
"""A store's description of a file: its size, and its time or tag, which change when the file does."""


class RemoteFolder:
    """A folder of bundles at an address such as ``s3://bucket/bundles``.

    ADDRESS/NAME/bundle.json  the manifest of a bundle
    ADDRESS/LIVE              name of the chosen bundle; without this file the newest is wanted

    Manifests are read again only when they change. Methods raise `StoreError` if the store does not answer; the
    constructor raises `ArgumentError` for an address that is not one of a store which this machine can read.
    """

    def __init__(self, address: str) -> None:
        self.address = address.rstrip("/")
        try:
            self._store, root = fsspec.core.url_to_fs(self.address)
        except (ImportError, ValueError, OSError) as error:
            raise ArgumentError("folder", f"{address}: cannot be read ({' '.join(str(error).split())}).") from None
        self._root = root.rstrip("/")
        self._manifests: dict[str, tuple[str, BundleInfo | AdiError]] = {}

    def bundles(self) -> dict[str, BundleInfo | AdiError]:
        """Return the bundles by name, oldest first, and last those whose manifest cannot be understood, with the error.

        A bundle from the future counts from when its manifest was written to the store.
        Raises `StoreError` for a folder that is missing.
        """
        with store_errors(f"{self.address}: cannot be listed"):
            self._store.invalidate_cache()
            names = [
                entry["name"].rstrip("/").rpartition("/")[2]
                for entry in self._store.ls(self._root, detail=True)
                if entry["type"] == "directory"
            ]
        infos = {name: info for name in names if not name.startswith(".") and (info := self._info(name)) is not None}
        times = {name: self._time(name, info) for name, info in infos.items()}
        return dict(sorted(infos.items(), key=lambda pair: (times[pair[0]], pair[0])))

    def files(self, name: str) -> dict[str, Listing]:
        """Return what the store says of each file of a bundle, by its path in the bundle."""
        root = f"{self._root}/{name}"
        with store_errors(f"{self.address}/{name}: cannot be listed"):
            listings = self._store.find(root, detail=True)
        return {path.removeprefix(f"{root}/"): listing for path, listing in listings.items()}

    def chosen(self) -> str | None:
        """Return the name that `LIVE` has; None if the newest bundle is wanted."""
        with store_errors(f"{self.address}/{LIVE}: cannot be read"):
            try:
                text: bytes = self._store.cat_file(f"{self._root}/{LIVE}")
            except FileNotFoundError:
                return None
        return text.decode(errors="replace").strip()

    def choose(self, name: str) -> None:
        """Choose a bundle by name."""
        with store_errors(f"{self.address}/{LIVE}: cannot be written"):
            self._store.pipe_file(f"{self._root}/{LIVE}", f"{name}\n".encode())

    def follow_newest(self) -> None:
        """Undo the choice."""
        with store_errors(f"{self.address}/{LIVE}: cannot be removed"):
            self._store.invalidate_cache()
            if self._store.exists(f"{self._root}/{LIVE}"):
                self._store.rm_file(f"{self._root}/{LIVE}")

    def _info(self, name: str) -> BundleInfo | AdiError | None:
        """The manifest of a bundle, or the error if it is not one; None for a folder without a manifest."""
        path, what = f"{self._root}/{name}/{MANIFEST}", f"{self.address}/{name}/{MANIFEST}"
        with store_errors(f"{what}: cannot be read"):
            try:
                state = str(self._store.info(path))
                if self._manifests.get(name, ("", None))[0] != state:
                    self._manifests[name] = state, _parsed(self._store.cat_file(path), what)
            except FileNotFoundError:
                return None
        return self._manifests[name][1]

    def _time(self, name: str, info: BundleInfo | AdiError) -> tuple[bool, str]:
        """The time of an export; after all of them, that of a bundle whose manifest cannot be understood."""
        if isinstance(info, AdiError):
            return True, ""
        with store_errors(f"{self.address}/{name}/{MANIFEST}: cannot be read"):
            return False, export_time(info.created, lambda: written_at(self._store, f"{self._root}/{name}/{MANIFEST}"))


def check_complete(name: str, info: BundleInfo, files: Mapping[str, Listing]) -> None:
    """Raise `AdiError` for the first file of a manifest that a store lacks or has in another size."""
    for path, expected in info.files.items():
        size = files[path]["size"] if path in files else None
        if size != expected.size:
            state = "is missing" if size is None else f"has {size} bytes of {expected.size}"
            raise AdiError(f"{path} {state}. Copy the bundle {name} to the store again, or wait until it is there.")


def _parsed(content: bytes, what: str) -> BundleInfo | AdiError:
    try:
        return parse_bundle_info(content, what)
    except AdiError as error:
        return error
