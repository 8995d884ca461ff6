"""Rollback: the choice of a bundle by name, in a folder or in an object store."""

from pathlib import Path

from adi.bundle.manifest import BundleInfo
from adi.bundle.remote import is_remote
from adi.bundle.remote_folder import RemoteFolder, check_complete
from adi.serving import watch


def roll_back(folder: str | Path, to: str | None = None) -> str:
    """Choose a bundle of a folder or a remote folder by name, or the one before the live one; return its name.

    Raises `AdiError` for an unknown name, for an incomplete bundle, if no bundle comes before, and if the store does
    not answer.
    """
    if not is_remote(folder):
        return watch.roll_back(Path(folder), to).name
    remote = RemoteFolder(str(folder))
    bundles = remote.bundles()
    name = watch.name_to_choose(str(folder), list(bundles), remote.chosen(), to)
    info = bundles[name]
    if not isinstance(info, BundleInfo):
        raise info
    check_complete(name, info, remote.files(name))
    remote.choose(name)
    return name


def follow_newest(folder: str | Path) -> None:
    """Undo the choice, so that the newest bundle goes live."""
    if is_remote(folder):
        RemoteFolder(str(folder)).follow_newest()
    else:
        watch.follow_newest(Path(folder))
