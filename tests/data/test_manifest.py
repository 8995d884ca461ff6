"""A manifest read back, and folders that hold none, or one of another format."""

import json
import re

import pytest

from adi.data.manifest import FORMAT, read_manifest
from adi.errors import AdiError


def test_sides_are_in_the_order_of_the_schema(prepared):
    manifest = read_manifest(prepared)
    assert [feature.name for feature in manifest.side("item")] == ["item_id", "price", "tags", "bid"]
    assert [feature.name for feature in manifest.side("user", "context")] == [
        "items", "items_here", "age", "langs", "level", "device", "hour",
    ]  # fmt: skip


def test_a_folder_without_one(tmp_path):
    with pytest.raises(AdiError, match=rf"{tmp_path}: not a prepared dataset .*adi prepare SCHEMA --out {tmp_path}"):
        read_manifest(tmp_path)
    file = tmp_path / "file"
    file.write_text("x")
    with pytest.raises(AdiError, match=r"file: not a prepared dataset"):
        read_manifest(file)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"format": FORMAT + 1},
            rf"manifest\.json: format {FORMAT + 1}, and this adi reads format {FORMAT}\. Prepare it",
        ),
        (
            {"users": "many"},
            rf"manifest\.json: not a manifest that adi wrote in format {FORMAT} \(1 faults\)\. Prepare",
        ),
        ({"new": 1}, rf"manifest\.json: not a manifest that adi wrote in format {FORMAT} \(1 faults\)"),
    ],
)
def test_one_of_another_format(prepared, tmp_path, change, message):
    content = json.loads((prepared / "manifest.json").read_text()) | change
    del content["digest"]
    (tmp_path / "manifest.json").write_text(json.dumps(content))
    with pytest.raises(AdiError, match=message):
        read_manifest(tmp_path)


@pytest.mark.parametrize("content", ["{", "[]", ""])
def test_one_that_is_broken(tmp_path, content):
    (tmp_path / "manifest.json").write_text(content)
    with pytest.raises(AdiError, match=re.escape(f"{tmp_path}/manifest.json: not a manifest")):
        read_manifest(tmp_path)
