"""A folder of bundles, of which a server keeps the newest live, or one that was chosen by name.

FOLDER/NAME      a bundle
FOLDER/LIVE      name of the chosen bundle (`adi rollback`); without this file the newest is live
"""

import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from adi.bundle.manifest import LIVE, MANIFEST, export_time, read_bundle_info
from adi.data.folder import replace_text
from adi.errors import AdiError, ArgumentError, suggestion
from adi.serving.service import Service

UNREADABLE = "\uffff"
"""Stands for the time of a bundle whose manifest cannot be read: after all others, so that it is tried and reported."""


def bundles_in(folder: Path) -> dict[Path, str]:
    """The bundles of a folder with the times of their export, oldest first, unreadable ones last.

    A bundle from the future counts from when its manifest was written here.
    """
    bundles = []
    for path in folder.iterdir():
        if not path.name.startswith(".") and (path / MANIFEST).is_file():
            try:
                created = created_of(path, read_bundle_info(path).created)
            except AdiError:
                created = UNREADABLE
            bundles.append((created, path.name))
    return {folder / name: created for created, name in sorted(bundles)}


def created_of(path: Path, created: str) -> str:
    """The time of the export of a bundle, or if it is still to come, that of its manifest."""
    return export_time(created, lambda: datetime.fromtimestamp((path / MANIFEST).stat().st_mtime, UTC))


def chosen_bundle(folder: Path) -> Path | None:
    """The bundle that `LIVE` names; None if the newest is to be live.

    Raises `AdiError` for a `LIVE` that cannot name one.
    """
    path = folder / LIVE
    if not path.exists():
        return None
    name = path.read_bytes().decode(errors="replace").strip()
    if not name or Path(name).name != name or not name.isprintable():
        raise AdiError(f"{path}: {name!r} is no name of a bundle. Choose one with: adi rollback {folder} --to NAME")
    return folder / name


def roll_back(folder: Path, to: str | None = None) -> Path:
    """Choose a bundle by name, or the one before the live one, and return it.

    Raises `AdiError` for an unknown name, for an incomplete bundle, and if no bundle comes before.
    """
    chosen = chosen_bundle(folder)
    names = [path.name for path in bundles_in(folder)]
    to = name_to_choose(str(folder), names, None if chosen is None else chosen.name, to)
    read_bundle_info(folder / to)
    replace_text(folder / LIVE, to)
    return folder / to


def name_to_choose(folder: str, names: Sequence[str], chosen: str | None, to: str | None) -> str:
    """Return the bundle that a rollback chooses: `to`, or the one before the live one.

    Args:
        names: of the folder's bundles, oldest first.
        chosen: the name that is chosen until now; None if the newest is live.

    Raises `ArgumentError` for an unknown name, and if no bundle comes before.
    """
    if to is None:
        live = chosen if chosen is not None else names[-1] if names else ""
        position = names.index(live) if live in names else 0
        if position == 0:
            raise ArgumentError(
                "to", f"{folder} has no bundle before '{live}'. Name one of {', '.join(names) or 'none'}."
            )
        to = names[position - 1]
    if to not in names:
        raise ArgumentError(
            "to", f"{folder} has no bundle '{to}' ({', '.join(names) or 'none'}).{suggestion(to, names)}"
        )
    return to


def follow_newest(folder: Path) -> None:
    """Undo the choice, so that the newest bundle goes live."""
    (folder / LIVE).unlink(missing_ok=True)


class Watcher:
    """Swaps a service to the bundle that a folder wants live, from a thread of its own.

    A refused bundle is reported once and tried again only after its files change; the live bundle stays.

    Args:
        report: called with a message about each swap and refusal.
        seconds: time between two looks at the folder.
        update: called before each look, to bring the folder up to date; it must not raise.
    """

    def __init__(
        self,
        service: Service,
        folder: Path,
        report: Callable[[str], None],
        *,
        seconds: float = 2.0,
        update: Callable[[], None] = lambda: None,
    ) -> None:
        if service.experiment is not None:
            raise ArgumentError(
                "watch",
                "an experiment compares the bundles of its file, which must not change. Leave this out, or serve one "
                "bundle.",
            )
        if not folder.is_dir():
            raise ArgumentError("watch", f"{folder}: no such folder. Create it, and export bundles into it.")
        self.service, self.folder, self.report = service, folder, report
        self.seconds, self.update = seconds, update
        self._failure = ""
        self.refused: dict[Path, tuple[int, int]] = {}
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join()

    def look(self) -> None:
        """Swap to the chosen bundle, or to the newest one that is newer than the live bundle."""
        self.update()
        live, chosen = self.service.bundle(), chosen_bundle(self.folder)
        if chosen is not None:
            candidates = [chosen] if chosen.resolve() != live.path.resolve() else []
        else:
            bundles = bundles_in(self.folder)
            since = created_of(live.path, live.created)
            candidates = [path for path, created in reversed(bundles.items()) if created > since]
        for path in candidates:
            state = _file_state(path)
            if self.refused.get(path) == state:
                continue
            try:
                self.service.swap(path, verify=True)
            except Exception as error:  # whatever is wrong with one bundle, the others go on being watched
                self.refused[path] = state
                self.service.metrics.bundles_refused.inc()
                reason = str(error) if isinstance(error, AdiError) else f"cannot be opened ({error!r})."
                self.report(f"{path.name}: refused, version {live.version} stays: {reason}")
            else:
                self.report(f"{path.name}: live, version {self.service.bundle().version}.")
                return

    def _run(self) -> None:
        while not self._stopped.wait(self.seconds):
            self.look_safely()

    def look_safely(self) -> None:
        """Look, and report a failure once; nothing that a look meets ends the watching."""
        failure = ""
        try:
            self.look()
            self.service.metrics.watch_looked.set_to_current_time()
        except Exception as error:  # such as a folder that is away for a while
            self.service.metrics.watch_failures.inc()
            reason = str(error) if isinstance(error, AdiError) else f"{self.folder}: cannot be read ({error!r})."
            failure = f"{reason} Version {self.service.bundle().version} stays."
            if failure != self._failure:
                self.report(failure)
        self._failure = failure
        self.service.watch_state = failure or "watching"


def _file_state(path: Path) -> tuple[int, int]:
    """Total size and latest modification of a bundle's files, which change when a file does."""
    stats = [file.stat() for file in path.rglob("*") if file.is_file()]
    return sum(stat.st_size for stat in stats), max((stat.st_mtime_ns for stat in stats), default=0)
