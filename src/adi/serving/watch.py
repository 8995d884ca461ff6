"""A folder of bundles, of which the newest goes live, or the one that somebody has chosen.

FOLDER/NAME      a bundle
FOLDER/LIVE      the name of the one that is chosen (`adi rollback`); without this file the newest is live
"""

import threading
from collections.abc import Callable
from pathlib import Path

from adi.bundle.manifest import MANIFEST, read_bundle_info
from adi.data.folder import replace_file
from adi.errors import AdiError, suggestion
from adi.serving.service import Service

LIVE = "LIVE"
BROKEN = "\uffff"
"""Stands for the time of a bundle whose manifest cannot be read: after all others, so that it is tried, and named."""


def bundles_in(folder: Path) -> dict[Path, str]:
    """The bundles of a folder and when they were exported, oldest first, those that are not whole at the end."""
    found = []
    for path in folder.iterdir():
        if not path.name.startswith(".") and (path / MANIFEST).is_file():
            try:
                created = read_bundle_info(path).created
            except AdiError:
                created = BROKEN
            found.append((created, path.name))
    return {folder / name: created for created, name in sorted(found)}


def chosen(folder: Path) -> Path | None:
    """The bundle that `LIVE` names; None where the newest is to be live."""
    path = folder / LIVE
    return folder / path.read_text(encoding="utf-8").strip() if path.exists() else None


def roll_back(folder: Path, to: str | None = None) -> Path:
    """Choose a bundle to be live, by name or the one before the one that is; returns it.

    Raises `AdiError` for a name that no bundle has, one that is not whole, and where there is none before.
    """
    names = [path.name for path in bundles_in(folder)]
    if to is None:
        named = chosen(folder)
        now = named.name if named is not None else names[-1] if names else ""
        place = names.index(now) if now in names else 0
        if place == 0:
            raise AdiError(f"{folder}: no bundle before '{now}'. Name one with --to: {', '.join(names) or 'none'}.")
        to = names[place - 1]
    if to not in names:
        raise AdiError(f"{folder}: no bundle '{to}' ({', '.join(names) or 'none'}).{suggestion(to, names)}")
    read_bundle_info(folder / to)
    replace_file(folder / LIVE, f"{to}\n".encode())
    return folder / to


def follow_newest(folder: Path) -> None:
    """Forget the choice: the newest is to be live."""
    (folder / LIVE).unlink(missing_ok=True)


class Follower:
    """Keeps a service on the bundle that a folder says is to be live, in a thread of its own.

    A bundle that is refused is told once, and tried again only when its files have changed; what is live stays.

    Args:
        tell: told in words what was swapped or refused.
        seconds: between two looks at the folder.
    """

    def __init__(self, service: Service, folder: Path, tell: Callable[[str], None], *, seconds: float = 2.0) -> None:
        if service.experiment is not None:
            raise AdiError(
                "--watch: an experiment compares the bundles that its file names, so none may take another's place. "
                "Leave --watch out, or serve one bundle."
            )
        if not folder.is_dir():
            raise AdiError(f"--watch: {folder}: no such folder. Make it, and export bundles into it.")
        self.service, self.folder, self.tell, self.seconds = service, folder, tell, seconds
        self.refused: dict[Path, tuple[int, int]] = {}
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._follow, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._end.set()
        self._thread.join()

    def look(self) -> None:
        """Swap to the bundle that is chosen, or to the newest that is newer than the live one."""
        live, named = self.service.live, chosen(self.folder)
        if named is not None:
            wanted = [named] if named.resolve() != live.path.resolve() else []
        else:
            wanted = [path for path, created in reversed(bundles_in(self.folder).items()) if created > live.created]
        for path in wanted:
            state = _state(path)
            if self.refused.get(path) == state:
                continue
            try:
                self.service.swap(path, verify=True)
            except AdiError as error:
                self.refused[path] = state
                self.service.metrics.refused()
                self.tell(f"{path.name}: refused, version {self.service.live.version} stays: {error}")
            else:
                self.tell(f"{path.name}: live, version {self.service.live.version}.")
                return

    def _follow(self) -> None:
        while not self._end.wait(self.seconds):
            try:
                self.look()
            except OSError as error:  # the folder is gone for a while, say: what is live stays
                self.tell(f"{self.folder}: cannot be looked at ({error}); version {self.service.live.version} stays.")


def _state(path: Path) -> tuple[int, int]:
    """Changes when a file of a bundle does: all sizes together, and the latest change."""
    stats = [file.stat() for file in path.rglob("*") if file.is_file()]
    return sum(one.st_size for one in stats), max((one.st_mtime_ns for one in stats), default=0)
