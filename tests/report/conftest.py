"""Runs of two models that only count, on data with titles and pictures of items."""

from pathlib import Path

import pytest

from adi.training.evaluation import evaluate_run
from adi.training.train import train


@pytest.fixture(scope="package")
def shown_runs(displayed: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Evaluated runs on that data. Not to be written to."""
    folder, runs = tmp_path_factory.mktemp("shown"), []
    for model in ("popularity", "item-knn"):
        runs.append(folder / model)
        train(displayed, model, runs[-1], progress=False)
        evaluate_run(runs[-1], ks=(2, 4, 9), progress=False)
    return runs
