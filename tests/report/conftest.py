"""Runs of two models that only count, on the tests' data with titles and pictures of items."""

import json
import shutil
from pathlib import Path

import pytest
import yaml

from adi.preparation.prepare import prepare
from adi.training.evaluation import evaluate_run
from adi.training.train import train

TITLES = {"pen": "A <b>pen</b> & ink", "mug": "Mug", "été": "L'été"}
IMAGES = {
    "pen": "https://images.example/pen.png?size=1&x=2",
    "mug": "javascript:alert(1)",
    "cap": "http://cap.example/",
}


@pytest.fixture(scope="package")
def shown_data(tables: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tests' data, prepared with titles that look like markup and pictures of which one is a script."""
    folder = shutil.copytree(tables, tmp_path_factory.mktemp("shown") / "tables")
    rows = [json.loads(line) for line in (folder / "items.jsonl").read_text(encoding="utf-8").splitlines()]
    rows = [row | {"title": TITLES.get(row["item"]), "image": IMAGES.get(row["item"])} for row in rows]
    (folder / "items.jsonl").write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    schema = yaml.safe_load((folder / "schema.yaml").read_text(encoding="utf-8"))
    schema["display"] = {"table": "items", "title": "title", "image": "image"}
    (folder / "schema.yaml").write_text(yaml.safe_dump(schema), encoding="utf-8")
    prepare(folder / "schema.yaml", folder.parent / "dataset", progress=False)
    return folder.parent / "dataset"


@pytest.fixture(scope="package")
def shown_runs(shown_data: Path) -> list[Path]:
    """Evaluated runs on that data. Not to be written to."""
    folders = []
    for model in ("popularity", "item-knn"):
        folders.append(shown_data.parent / model)
        train(shown_data, model, folders[-1], progress=False)
        evaluate_run(folders[-1], ks=(2, 4, 9), progress=False)
    return folders
