"""A mirror of a remote folder of bundles: what a `Watcher` watches instead of the store."""

import shutil
import tempfile
import weakref
from collections.abc import Callable
from os import replace
from pathlib import Path

from adi.bundle.manifest import LIVE, BundleInfo
from adi.bundle.remote import StoreError, cache_folder, local_copy
from adi.bundle.remote_folder import RemoteFolder, check_complete
from adi.data.folder import replace_text
from adi.errors import AdiError, ArgumentError
from adi.serving.metrics import Metrics

SECONDS = 10.0
"""Seconds between two looks at a store, each of which lists its folder and asks for each bundle's manifest."""


class Mirror:
    """Keeps a local folder with the bundle that a remote folder wants live, and with its file `LIVE`.

    The wanted bundle is the one that `LIVE` names, or the newest that is whole. It is copied into the cache of copies
    (`adi.bundle.remote.local_copy`), complete or not at all and once for each version, and linked into `folder` under
    its name. The folder belongs to this process, and is removed at its end.

    Args:
        report: called with a message about each bundle that is refused, and when the store goes and comes back.
        cache: the folder of copies; by default that of `local_copy`.

    Raises `ArgumentError` for an address that cannot be listed.
    """

    def __init__(
        self, address: str, metrics: Metrics, report: Callable[[str], None], *, cache: Path | None = None
    ) -> None:
        try:
            self.remote = RemoteFolder(address)
            self.remote.bundles()
        except AdiError as error:
            message = error.message if isinstance(error, ArgumentError) else str(error)
            raise ArgumentError("watch", f"{message} Create it, and copy bundles into it.") from None
        self.metrics, self.report = metrics, report
        self.cache = cache or cache_folder()
        self.cache.mkdir(parents=True, exist_ok=True)
        self.folder = Path(tempfile.mkdtemp(prefix=".mirror-", dir=self.cache))
        weakref.finalize(self, shutil.rmtree, self.folder, ignore_errors=True)
        self._refused: dict[str, str] = {}
        self._failure = ""

    def look(self) -> None:
        """Bring the folder up to date. A failure is reported once and counted; the folder then stays as it is."""
        try:
            self._update()
        except Exception as error:  # any failure, since a look that raised would end the watching for ever
            self.metrics.mirror_failures.inc()
            failure = str(error) if isinstance(error, AdiError) else f"{self.remote.address}: {error!r}."
            if failure != self._failure:
                self.report(f"{failure} Tried again every {SECONDS:g} seconds.")
            self._failure = failure
        else:
            if self._failure:
                self.report(f"{self.remote.address}: answers again.")
            self._failure = ""

    def _update(self) -> None:
        """Link the wanted bundle, then pass on the choice."""
        bundles, chosen = self.remote.bundles(), self.remote.chosen()
        wanted = list(reversed(bundles)) if chosen is None else [chosen]
        linked = next((name for name in wanted if self._link(name, bundles.get(name))), None)
        if chosen is None:
            (self.folder / LIVE).unlink(missing_ok=True)
        elif linked is not None:
            replace_text(self.folder / LIVE, chosen)

    def _link(self, name: str, info: BundleInfo | AdiError | None) -> bool:
        """Link a bundle to its copy; False for one that is refused, whose files must change to be tried again."""
        link = self.folder / name
        if isinstance(info, BundleInfo) and link.is_symlink() and link.readlink().name == info.version:
            return True
        files = self.remote.files(name)
        state = str(sorted(files.items()))
        if self._refused.get(name) == state:
            return False
        try:
            if not isinstance(info, BundleInfo):
                raise info or AdiError(f"{LIVE} names the bundle {name}, which is not there.")
            check_complete(name, info, files)
            copy = local_copy(f"{self.remote.address}/{name}", self.cache)
        except (StoreError, ArgumentError):  # of the store or the cache, not of the bundle
            raise
        except AdiError as error:
            self._refused[name] = state
            self.metrics.bundles_refused.inc()
            self.report(f"{name}: refused, not copied: {error}")
            return False
        partial = self.folder / f".{name}.partial"
        partial.symlink_to(copy.resolve(), target_is_directory=True)
        replace(partial, link)
        return True
