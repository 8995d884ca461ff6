"""Provenance of a bundle: the files of its run that are kept for display. Requests are answered without them.

BUNDLE/run/run.json        model, seed, settings
BUNDLE/run/metrics.json    metrics, if the run was evaluated
BUNDLE/run/interest.json   the weight of each feature in each domain, for models with an adaptation layer
"""

import json
import shutil
from pathlib import Path
from typing import Any

from adi.errors import AdiError

FOLDER = "run"
FILES = ("run.json", "metrics.json", "interest.json")
RUN_KEYS = ("seed", "created", "parameters", "config")
METRICS_KEYS = ("part", "against", "history", "ks", "domains", "mean")


def write_provenance(run: Path, bundle: Path) -> None:
    """Copy a run's files, those that exist, into a bundle."""
    (bundle / FOLDER).mkdir()
    for name in FILES:
        if (run / name).is_file():
            shutil.copyfile(run / name, bundle / FOLDER / name)


def read_provenance(bundle: Path) -> dict[str, Any]:
    """Read the seed, created, parameters and config of a bundle's run, and its metrics and interest, None if missing.

    Raises `AdiError` for a file that is not a JSON object.
    """
    run, metrics, interest = (_read(bundle / FOLDER / name) for name in FILES)
    return {key: (run or {}).get(key) for key in RUN_KEYS} | {
        "metrics": metrics and {key: metrics.get(key) for key in METRICS_KEYS},
        "interest": interest,
    }


def _read(path: Path) -> dict[str, Any] | None:
    if not path.exists():
        return None
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise AdiError(f"{path}: not JSON ({error}). Evaluate the run again, and export it again.") from None
    if not isinstance(content, dict):
        raise AdiError(f"{path}: not a JSON object. Evaluate the run again, and export it again.")
    return content
