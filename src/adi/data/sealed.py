"""Sealed folders: a record that ends with a digest of its own text, and has size and digest of every other file.

A bit that flips on a disk or in a copy would otherwise give other numbers without a word. Sizes are compared wherever a
folder is opened; digests, which means to read everything, where work starts that relies on them.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from hashlib import blake2b
from pathlib import Path, PurePosixPath

from adi.data.folder import replace_file
from adi.errors import AdiError
from adi.strict import Strict

PIECE = 1 << 20
"""Bytes that are read at once."""

MARK = b',\n "digest": "'
"""The bytes before the digest at the end of a record."""


class FileInfo(Strict):
    """Size of a file in bytes, and a digest of its content (blake2b, 16 bytes)."""

    size: int
    digest: str


Files = Mapping[str, FileInfo]
"""Files below a folder by their names, relative to it."""


def file_info(path: Path) -> FileInfo:
    """Size and digest of a file, which is read in pieces."""
    digest, size = blake2b(digest_size=16), 0
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            digest.update(piece)
            size += len(piece)
    return FileInfo(size=size, digest=digest.hexdigest())


def files_in(folder: Path, leave_out: Collection[str] = ()) -> dict[str, FileInfo]:
    """Size and digest of every file below a folder; `leave_out` are names of files and folders directly in it."""
    paths = sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    names = [path.as_posix() for path in paths if path.parts[0] not in leave_out]
    return dict(zip(names, _infos(folder, names), strict=True))


def digest_of(files: Files, *, size: int, leave_out: Callable[[str], bool] = lambda name: False) -> str:
    """A digest, of `size` bytes, of the names and the content of files."""
    lines = (f"{name} {info.size} {info.digest}\n" for name, info in sorted(files.items()) if not leave_out(name))
    return blake2b("".join(lines).encode(), digest_size=size).hexdigest()


def faults_of(folder: Path, files: Files, *, digests: bool = True) -> Iterator[str]:
    """The files that are missing, or of another size or with `digests` another content than recorded, in words."""
    whole = []
    for name, expected in files.items():
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts:
            yield f"{folder}: names the file '{name}', which is outside of the folder"
            continue
        file = folder / name
        size = file.stat().st_size if file.is_file() else None
        if size is None:
            yield f"{file}: the file is missing"
        elif size != expected.size:
            yield f"{file}: {size:,} bytes of {expected.size:,}"
        else:
            whole.append(name)
    for name, info in zip(whole, _infos(folder, whole) if digests else (), strict=digests):
        if info != files[name]:
            yield f"{folder / name}: other content than was written"


def check_files(folder: Path, files: Files, *, digests: bool, remedy: str) -> None:
    """Raise `AdiError` with the first of the faults of a folder's files and its `remedy`, a sentence."""
    for fault in faults_of(folder, files, digests=digests):
        raise AdiError(f"{fault}. {remedy}")


def write_sealed(path: Path, text: str) -> None:
    """Write or replace a record, the text of a JSON object with an indent of 1, with its digest as its last key."""
    body = text.strip().removesuffix("}").rstrip().encode()
    replace_file(path, body + MARK + _digest(body) + b'"\n}\n')


def unsealed(content: bytes, name: str | Path, remedy: str) -> bytes:
    """The content of a record without its digest; raises `AdiError` if it has another than the digest says.

    A record without a digest, which was not written by `write_sealed`, is returned as it is.
    """
    body, mark, digest = content.rpartition(MARK)
    if not mark:
        return content
    if digest != _digest(body) + b'"\n}\n':
        raise AdiError(f"{name}: other content than adi wrote. {remedy}")
    return body + b"\n}\n"


def _digest(body: bytes) -> bytes:
    return blake2b(body, digest_size=16).hexdigest().encode()


def _infos(folder: Path, names: Collection[str]) -> Iterator[FileInfo]:
    """Size and digest of files, several at a time: hashing leaves the interpreter's lock."""
    with ThreadPoolExecutor(max_workers=2) as pool:
        yield from pool.map(lambda name: file_info(folder / name), names)
