"""Provenance of a bundle: files of its run that are kept for display, below ``BUNDLE/run``. Answers do not use them."""

import shutil
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


def write_provenance(run: Path, bundle: Path) -> None:
    """Copy what the run knows of itself, its metrics and its interest into a bundle; those that exist."""
    (bundle / FOLDER).mkdir()
    for name in (RUN, METRICS, INTEREST):
        if (run / name).is_file():
            shutil.copyfile(run / name, bundle / FOLDER / name)


def read_provenance(bundle: Path) -> dict[str, Any]:
    """Read the seed, created, parameters and config of a bundle's run, its metrics and its interest; None if missing.

    Raises `AdiError` for a file that is damaged.
    """
    folder = bundle / FOLDER
    try:
        info = read_info(folder) if (folder / RUN).exists() else None
        metrics = read_metrics(folder) if (folder / METRICS).exists() else None
        interest = read_by_feature(folder / INTEREST)
    except AdiError as error:
        raise AdiError(f"{bundle}: {error} Then export the run again.") from None
    return {key: getattr(info, key, None) for key in RUN_KEYS} | {
        "metrics": metrics and metrics.model_dump(mode="json", include=METRICS_KEYS),
        "interest": {side: values.model_dump(mode="json") for side, values in interest.items()} or None,
    }
