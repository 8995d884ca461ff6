"""Prepared datasets as an older adi, or another, would have left them."""

from pathlib import Path
from typing import Any

from adi.data.manifest import read_manifest, write_manifest


def change_manifest(folder: Path, **changes: Any) -> None:
    """Change fields of a prepared dataset's manifest, which then has no digests of files."""
    write_manifest(folder, read_manifest(folder).model_copy(update={"files": None} | changes))
