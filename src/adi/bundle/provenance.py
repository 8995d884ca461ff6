"""Provenance of a bundle: files of its run that are kept for display, below ``BUNDLE/run``. Answers do not use them."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from adi.errors import AdiError
from adi.runs.by_feature import INTEREST, read_by_feature
from adi.runs.info import FILE as RUN
from adi.runs.info import read_info
from adi.runs.metrics import FILE as METRICS
from adi.runs.run import read_metrics

FOLDER = "run"
RUN_KEYS = ("seed", "created", "parameters", "config")
METRICS_KEYS = {"part", "against", "history", "ks", "domains", "mean"}

READERS: dict[str, Callable[[Path], Any]] = {
    RUN: read_info,
    METRICS: read_metrics,
    INTEREST: lambda run: read_by_feature(run / INTEREST),
}
"""The reader of each file of a run's folder; a run that was not evaluated has the first file only."""


def write_provenance(run: Path, bundle: Path) -> None:
    """Copy the files of a run that exist into a bundle. Raises `AdiError` for a damaged one."""
    (bundle / FOLDER).mkdir()
    for name, read in READERS.items():
        if (run / name).is_file():
            read(run)
            shutil.copyfile(run / name, bundle / FOLDER / name)


def read_provenance(bundle: Path) -> dict[str, Any]:
    """Read the seed, created, parameters and config of a bundle's run, its metrics and its interest; None if missing.

    Raises `AdiError` for a damaged file.
    """
    files = dict[str, Any]()
    for name, read in READERS.items():
        path = bundle / FOLDER / name
        try:
            files[name] = read(path.parent) if path.exists() else None
        except AdiError:
            raise AdiError(f"{path}: damaged. Copy the bundle again, or export it again.") from None
    metrics, interest = files[METRICS], files[INTEREST]
    return {key: getattr(files[RUN], key, None) for key in RUN_KEYS} | {
        "metrics": metrics and metrics.model_dump(mode="json", include=METRICS_KEYS),
        "interest": interest and {side: values.model_dump(mode="json") for side, values in interest.items()},
    }
