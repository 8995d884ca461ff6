"""Folders and files that are complete or absent.

Every step of the pipeline writes one folder. It is built under a hidden name beside its place, flushed to disk and
renamed, so that a reader never sees half of it, and a crash, a full disk or Ctrl-C leaves nothing behind. A file that
is added to a folder, or replaced there, comes in the same way.
"""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

from adi.errors import AdiError


@contextmanager
def new_folder(out: Path) -> Iterator[Path]:
    """Yield an empty folder to fill, which becomes `out` when the block ends without an exception.

    Missing parents are created. Raises `AdiError` before the block runs when `out` is a file, a folder that is not
    empty, or a place that cannot be written; and instead of an error from the block that says the disk is full.

        with new_folder(Path("tables")) as folder:
            (folder / "schema.yaml").write_text(text)
    """
    out = out.resolve()
    _check_free(out)
    building = out.parent / f".{out.name}.{uuid4().hex[:8]}.partial"
    try:
        building.mkdir(parents=True)
    except OSError as error:
        raise AdiError(f"{out}: cannot be created ({error.strerror}). Choose another place with --out.") from None
    try:
        yield building
        _flush(building)
        _check_free(out)  # again: another process may have come first
        building.rename(out)
        _flush_one(out.parent)
    except BaseException as error:
        # A failing removal must not hide the error that brought us here.
        shutil.rmtree(building, ignore_errors=True)
        # DuckDB and Arrow report a full disk through their own exceptions, with the system's words in them.
        if isinstance(error, Exception) and os.strerror(errno.ENOSPC) in str(error):
            raise AdiError(f"{out}: the disk is full ({error}). Nothing was kept; free some space.") from error
        raise


@contextmanager
def new_file(out: Path) -> Iterator[Path]:
    """Yield a place to write a file, which becomes `out` when the block ends without an exception.

    Raises `AdiError` before the block runs when there is something at `out`, or no folder to write it in.
    """
    if out.exists():
        raise AdiError(f"{out}: exists. Remove it, or choose another place with --out.")
    if not out.resolve().parent.is_dir():
        raise AdiError(f"{out}: no such folder. Make it, or choose another place with --out.")
    beside = out.with_name(f".{out.name}.{uuid4().hex[:8]}.partial")
    try:
        yield beside
        _flush_one(beside)
        beside.rename(out)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def replace_file(path: Path, content: bytes) -> None:
    """Write a file at once: a reader sees the old or the new, never half, and after a failure the old one."""
    beside = path.with_name(f".{path.name}.partial")
    try:
        beside.write_bytes(content)
        _flush_one(beside)
        beside.replace(path)
    except BaseException:
        with suppress(OSError):  # a failing removal must not hide the error that brought us here
            beside.unlink()
        raise


def replace_text(path: Path, text: str) -> None:
    """`replace_file` for a text, with a line break at its end."""
    replace_file(path, f"{text}\n".encode())


def _check_free(out: Path) -> None:
    if out.is_dir():
        if any(out.iterdir()):
            raise AdiError(f"{out}: exists and is not empty. Remove it, or choose another place with --out.")
    elif out.exists():
        raise AdiError(f"{out}: is a file, and a folder is to be written there. Choose another place with --out.")


def _flush(folder: Path) -> None:
    """Force everything under `folder`, and the folder itself, to disk."""
    for path in folder.rglob("*"):
        _flush_one(path)
    _flush_one(folder)


def _flush_one(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
