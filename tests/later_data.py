"""The hand-written log as it may be prepared later: with other rows, entities, values and domains."""

import json
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from adi.preparation.prepare import prepare

Rows = dict[str, list[dict[str, Any]]]
"""The rows of each table: clicks, users, user_domain, items, item_domain."""

Change = Callable[[Rows, dict[str, Any]], None]
"""Changes the rows and the schema in place."""


@pytest.fixture(scope="session")
def changed(tables: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Prepares the tables anew after some changes: once for the same changes. Not to be written to."""

    @cache
    def make(*changes: Change) -> Path:
        folder = Path(shutil.copytree(tables, tmp_path_factory.mktemp("changed") / "tables"))
        files = {path.stem: path for path in folder.glob("*.jsonl")}
        rows = {stem: [json.loads(line) for line in path.read_text().splitlines()] for stem, path in files.items()}
        schema = yaml.safe_load((folder / "schema.yaml").read_text())
        for change in changes:
            change(rows, schema)
        for stem, path in files.items():
            path.write_text("".join(f"{json.dumps(row)}\n" for row in rows[stem]))
        (folder / "schema.yaml").write_text(yaml.safe_dump(schema))
        prepare(folder, folder.parent / "prepared")
        return folder.parent / "prepared"

    return make


@pytest.fixture
def later(changed: Callable[..., Path], tmp_path: Path) -> Callable[..., Path]:
    """Prepares the tables anew, after each of some changes."""

    def make(*changes: Change, name: str = "later") -> Path:
        return Path(shutil.copytree(changed(*changes), tmp_path / name))

    return make


def renumber(rows: Rows, schema: dict[str, Any]) -> None:
    """Other numbers for everything: ids before, between and after the others, other frequencies, edges and domains."""
    new = [("aaa", "search", "aa"), ("ddd", "feed", "bb"), ("aaa", "search", "zz"), ("ddd", "feed", "zz")]
    new += [("zzz", "kiosk", "nn"), ("zzz", "search", "zz"), ("ddd", "search", "zz"), ("aaa", "feed", "nn")]
    for time, (user, domain, item) in enumerate(new):
        rows["clicks"].append(
            {"user": user, "item": item, "domain": domain, "time": time, "device": "desktop", "hour": 23}
        )
    rows["users"] += [{"user": user, "age": "old", "langs": "fi|zh"} for user in ("aaa", "ddd", "zzz")]
    rows["user_domain"] += [{"user": user, "domain": "feed", "level": "silver"} for user in ("aaa", "ddd", "zzz")]
    rows["items"] += [{"item": item, "price": 3.0, "tags": ["drink", "new"]} for item in ("aa", "bb", "nn", "zz")]
    rows["item_domain"] += [{"item": item, "domain": "search", "bid": 2.5} for item in ("aa", "bb", "nn", "zz")]
    schema["domains"]["values"] = ["kiosk", "search", "feed"]


def without_kiosk(rows: Rows, schema: dict[str, Any]) -> None:
    """Leave out a domain, in all tables and in the schema."""
    for table in rows.values():
        table[:] = [row for row in table if row.get("domain") != "kiosk"]
    schema["domains"]["values"] = ["feed", "search"]
