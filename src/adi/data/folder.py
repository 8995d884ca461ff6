"""Folders and files that are complete or absent.

Every step of the pipeline writes one folder. It is built under a hidden name in the same parent, flushed to disk and
renamed, so that a reader never sees half of it, and a crash, a full disk or Ctrl-C leaves nothing behind. Single
files are written in the same way.
"""

import errno
import fcntl
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import time
from uuid import uuid4

from adi.errors import AdiError, ArgumentError

LEFT_BEHIND = 60.0
"""Seconds after which an unfinished folder that no process holds was left behind: a new one is held at once."""

LOCK = ".lock"
"""The file of a folder by which its process keeps others out."""

SHORT_WRITE = re.compile(r"\d+ requested and \d+ written")
"""numpy's words for a file that took less than it was given."""


@contextmanager
def new_folder(out: Path) -> Iterator[Path]:
    """Yield an empty folder to fill, which becomes `out` when the block ends without an exception.

    Missing parents are created. Raises `ArgumentError` before the block runs if `out` is a file, is not empty, or
    cannot be created; and `AdiError` in place of an error in the block that reports a full disk.

        with new_folder(Path("tables")) as folder:
            (folder / "schema.yaml").write_text(text)
    """
    out = out.resolve()
    _check_free(out)
    building = out.parent / f".{out.name}.{uuid4().hex[:8]}.partial"
    try:
        make_folder(out.parent)
        building.mkdir()
    except OSError as error:
        raise ArgumentError("out", f"{out}: cannot be created ({error.strerror}). Choose another folder.") from None
    held = os.open(building, os.O_RDONLY)
    try:
        _lock(held)
        _remove_left_behind(out)
        yield building
        flush_all(building)
        _check_free(out)  # again: another process may have come first
        building.rename(out)
        flush(out.parent)
    except BaseException as error:
        _remove(building)
        _name_full_disk(out, error)
        raise
    finally:
        os.close(held)


def _remove(folder: Path) -> None:
    """Remove a folder, even if an interrupt comes meanwhile. A failure must not hide the error that brought us here."""
    try:
        shutil.rmtree(folder, ignore_errors=True)
    except KeyboardInterrupt:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def make_folder(folder: Path) -> None:
    """Make a folder and its missing parents, so that they outlast a power loss."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for path in missing:
        flush(path.parent)


def _name_full_disk(path: Path, error: BaseException) -> None:
    """Raise `AdiError` in place of an error that reports a full disk, by whatever exception of whatever library."""
    text = str(error)
    is_full = os.strerror(errno.ENOSPC) in text or SHORT_WRITE.search(text)
    if is_full and isinstance(error, Exception):
        raise AdiError(f"{path}: the disk is full ({error}). Nothing new was kept; free some space.") from error


def _lock(descriptor: int) -> bool:
    """Lock an open folder for as long as its process lives; False where another has it, or the disk has no locks."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _remove_left_behind(out: Path) -> None:
    """Remove what killed processes left of `out`: unfinished folders and files that no living process holds."""
    with suppress(OSError):  # another process may be first; what stays is removed the next time
        for path in out.parent.iterdir():
            is_unfinished = path.name.startswith(f".{out.name}.") and path.name.endswith(".partial")
            if is_unfinished and time() - path.stat().st_mtime > LEFT_BEHIND:
                descriptor = os.open(path, os.O_RDONLY)
                try:
                    if _lock(descriptor) and path.is_dir():
                        shutil.rmtree(path, ignore_errors=True)
                    elif _lock(descriptor):
                        path.unlink()
                finally:
                    os.close(descriptor)


@contextmanager
def new_file(out: Path) -> Iterator[Path]:
    """Yield the path of an empty file to write, which becomes `out` when the block ends without an exception.

    Raises `ArgumentError` before the block runs if `out` exists or its folder does not.
    """
    if out.exists():
        raise ArgumentError("out", f"{out}: exists. Remove it, or choose another file.")
    if not out.resolve().parent.is_dir():
        raise ArgumentError("out", f"{out}: no such folder. Make it, or choose another one.")
    partial = out.with_name(f".{out.name}.{uuid4().hex[:8]}.partial")
    held = os.open(partial, os.O_CREAT | os.O_RDONLY, 0o666)
    try:
        _lock(held)
        _remove_left_behind(out)
        yield partial
        flush(partial)
        partial.rename(out)
        flush(out.resolve().parent)
    except BaseException as error:
        partial.unlink(missing_ok=True)
        _name_full_disk(out, error)
        raise
    finally:
        os.close(held)


def is_free(folder: Path) -> bool:
    """Whether a folder is missing or empty, but for hidden files: a lock, or what a killed process had begun."""
    if not folder.is_dir():
        return not folder.exists()
    return all(path.name.startswith(".") for path in folder.iterdir())


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep other processes out of a folder during the block; it is made if it is missing.

    The lock ends with its process, however that ends. Raises `AdiError` where another process is at work.
    """
    path = folder / LOCK
    while True:
        make_folder(folder)
        with path.open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise AdiError(
                    f"{folder}: another adi process is at work here. Wait for it, or choose another folder."
                ) from None
            if _is_at(path, file.fileno()):  # not removed, by a process that ended, since it was opened here
                yield
                return


def _is_at(path: Path, descriptor: int) -> bool:
    """Whether an open file is still the one at a path."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def replace_file(path: Path, content: bytes, *, mode: int = 0o666) -> None:
    """Replace a file atomically: a reader sees the old or the new content, and after a failure the old one.

    Raises `OSError` with the file's name where it cannot be written.
    `mode` are the permissions of the new file, as far as the process's mask leaves them.
    """
    partial = path.with_name(f".{path.name}.partial")
    try:
        partial.unlink(missing_ok=True)  # left by a process that was killed, with permissions of its own
        with open(partial, "xb", opener=lambda name, flags: os.open(name, flags, mode)) as file:
            file.write(content)
        flush(partial)
        partial.replace(path)
        flush(path.parent)
    except BaseException as error:
        with suppress(OSError):  # a failing removal must not hide the error that brought us here
            partial.unlink()
        if isinstance(error, OSError) and error.filename is None:  # as of a write
            error.filename = str(path)
        raise


def replace_text(path: Path, text: str) -> None:
    """`replace_file` for a text, with a line break at its end."""
    replace_file(path, f"{text}\n".encode())


def _check_free(out: Path) -> None:
    if out.is_dir():
        if any(out.iterdir()):
            raise ArgumentError("out", f"{out}: exists and is not empty. Remove it, or choose another folder.")
    elif out.exists():
        raise ArgumentError("out", f"{out}: is a file, and a folder is to be written there. Choose another path.")


def flush_all(folder: Path) -> None:
    """Force everything under `folder`, and the folder itself, to disk."""
    for path in folder.rglob("*"):
        flush(path)
    flush(folder)


def flush(path: Path) -> None:
    """Force the content of a file, or the names in a folder, to disk. The `OSError` of a full disk names it."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        os.close(descriptor)
