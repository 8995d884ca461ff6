"""The published data sets on this machine, for the tests that use them."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def published() -> Callable[[str], Path]:
    """The folder of a published data set: under $ADI_DATA, or shared/data beside the repository; skips if absent."""
    repository = Path(__file__).resolve().parents[3]
    root = Path(os.environ.get("ADI_DATA", repository.parent / "shared" / "data"))

    def folder_of(name: str) -> Path:
        if not (root / name).is_dir():
            pytest.skip(f"the published data of {name} is not in {root}; docs/datasets.md says how to get it")
        return root / name

    return folder_of
