"""A bundle from tables in one call, with the defaults of every step: prepare, train, export."""

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from adi.exporting.export import export
from adi.preparation.prepare import prepare
from adi.training.train import train


def retrain(tables: Path, bundle: Path, *, model: str, settings: Mapping[str, Any], seed: int = 0) -> None:
    """Train a model on the tables of a folder with a schema.yaml, and write its bundle, which is all that stays.

    Raises what `prepare`, `train` and `export` raise.
    """
    with TemporaryDirectory(dir=bundle.parent) as work:
        prepared, run = Path(work) / "prepared", Path(work) / "run"
        prepare(tables, prepared, progress=False)
        train(prepared, model, run, settings=settings, seed=seed, baselines=False, progress=False)
        export(run, bundle, progress=False)
