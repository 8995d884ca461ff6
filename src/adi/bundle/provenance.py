"""What a bundle keeps of the run that it was made of, to be shown: nothing that it answers with.

BUNDLE/run/run.json        model, seed, settings
BUNDLE/run/metrics.json    its metrics, where it was evaluated
BUNDLE/run/interest.json   the weight of each feature in each domain, where its model has such
"""

import json
import shutil
from pathlib import Path
from typing import Any

from adi.errors import AdiError

ORIGIN = "run"
KEPT = ("run.json", "metrics.json", "interest.json")
OF_RUN = ("seed", "created", "parameters", "config")
OF_METRICS = ("part", "against", "history", "ks", "domains", "mean")


def keep_origin(run: Path, folder: Path) -> None:
    """Copy what there is of a run's files into a bundle."""
    (folder / ORIGIN).mkdir()
    for name in KEPT:
        if (run / name).is_file():
            shutil.copyfile(run / name, folder / ORIGIN / name)


def read_origin(folder: Path) -> dict[str, Any]:
    """What is told of a bundle's run: seed, created, parameters and config; metrics and interest, None if not there.

    Raises `AdiError` for a file that is not a JSON object.
    """
    info, metrics, interest = (_read(folder / ORIGIN / name) for name in KEPT)
    return {key: (info or {}).get(key) for key in OF_RUN} | {
        "metrics": metrics and {key: metrics.get(key) for key in OF_METRICS},
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
