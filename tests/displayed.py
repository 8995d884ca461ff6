"""The tests' data with titles and pictures of items, for pages that show them."""

import json
import shutil
from pathlib import Path

import pytest
import yaml

from adi.preparation.prepare import prepare

TITLES = {"pen": "A <b>pen</b> & ink", "mug": "Mug", "été": "L'été"}
IMAGES = {
    "pen": "https://images.example/pen.png?size=1&x=2",
    "mug": "javascript:alert(1)",
    "cap": "http://cap.example/",
}


@pytest.fixture(scope="session")
def displayed(tables: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """That data, prepared, with titles that look like markup and a picture that is a script. Not to be written to."""
    folder = shutil.copytree(tables, tmp_path_factory.mktemp("displayed") / "tables")
    rows = [json.loads(line) for line in (folder / "items.jsonl").read_text(encoding="utf-8").splitlines()]
    rows = [row | {"title": TITLES.get(row["item"]), "image": IMAGES.get(row["item"])} for row in rows]
    (folder / "items.jsonl").write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    schema = yaml.safe_load((folder / "schema.yaml").read_text(encoding="utf-8"))
    schema["display"] = {"table": "items", "title": "title", "image": "image"}
    (folder / "schema.yaml").write_text(yaml.safe_dump(schema), encoding="utf-8")
    prepare(folder / "schema.yaml", folder.parent / "dataset", progress=False)
    return folder.parent / "dataset"
