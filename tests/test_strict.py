"""Errors of a YAML file: the key as the file has it, and what is wrong in plain words."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from adi.errors import AdiError
from adi.schema import load_schema

SCHEMA: dict[str, Any] = {
    "domains": {"column": "domain"},
    "interactions": {"path": "log.csv", "user": "user_id", "item": "item_id", "time": "ts"},
    "tables": {"items": {"path": "items.csv", "key": "item_id"}},
    "features": {
        "user": [{"name": "history", "kind": "behaviours"}],
        "item": [{"name": "item_id", "kind": "id"}, {"name": "price", "kind": "numeric", "table": "items"}],
    },
    "split": {"kind": "last"},
}


def fault(folder: Path, key: str, value: object) -> str:
    """The message of a schema that has the value at the key; without the key for None."""
    schema: Any = yaml.safe_load(yaml.safe_dump(SCHEMA))
    *path, last = (int(part) if part.isdecimal() else part for part in key.split("."))
    at = schema
    for part in path:
        at = at[part]
    if value is None:
        del at[last]
    else:
        at[last] = value
    (folder / "schema.yaml").write_text(yaml.safe_dump(schema))
    with pytest.raises(AdiError) as raised:
        load_schema(folder)
    return str(raised.value).removeprefix(f"{folder / 'schema.yaml'}: ")


KINDS = "'id', 'categorical', 'multi', 'numeric'"
DATE = "a date or a time, such as 2024-01-31 or 2024-01-31 12:30:00"


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("domains", None, "domains: is missing"),
        ("domains", "domain", "domains: should be a mapping of keys to values (got 'domain')"),
        ("domains.values", "a", "domains.values: should be a list (got 'a')"),
        ("domains.column", 3, "domains.column: should be text (got 3)"),
        ("interactions.user", ["a"], "interactions.user: should be text"),
        ("interactions.duplicates", "remove", "interactions.duplicates: should be 'keep' or 'drop' (got 'remove')"),
        (
            "tables.my items",
            {"key": "a"},
            "tables.my items: should be a name of letters, digits and underscores (got 'my items')",
        ),
        ("features.user", [], "features.user: should not be empty"),
        (
            "features.item.0.kind",
            "ids",
            f"features.item.0: the kind 'ids' is unknown. Did you mean 'id'? Known: {KINDS}",
        ),
        ("features.item.0.kind", None, "features.item.0: the key 'kind' is missing"),
        ("features.item.1.buckets", 1, "features.item.1.buckets: should be 2 or more (got 1)"),
        ("features.item.1.buckets", "x", "features.item.1.buckets: should be a whole number (got 'x')"),
        ("features.user.0.length", 2.5, "features.user.0.length: should be a whole number (got 2.5)"),
        ("corpus", "each", "corpus: should be a mapping of keys to values, or 'all' (got 'each')"),
        ("corpus", {"path": "x"}, "\n  corpus.item: is missing\n  corpus.domain: is missing"),
        ("trend", {"half_lives": ["1h"]}, "trend.delay: is missing"),
        ("split.validation", 0.9, "split.validation: should be 0.5 or less (got 0.9)"),
        ("split", {"kind": "random", "share": 1.5}, "split.share: should be less than 1 (got 1.5)"),
        ("split", {"kind": "time"}, "split.at: is missing"),
        (
            "split",
            {"kind": "time", "at": "soon"},
            f"split.at: should be a whole number, a number, or {DATE} (got 'soon')",
        ),
        ("repeats", "perhaps", "repeats: should be true or false (got 'perhaps')"),
    ],
)
def test_a_fault_of_a_schema(tmp_path: Path, key: str, value: object, message: str) -> None:
    assert fault(tmp_path, key, value) == message


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        (
            "features.item.1.name",
            "History",
            "features: the names 'history' and 'History' differ in case alone; rename one of them",
        ),
        ("features.item.1.name", "history", "features: the name 'history' is used 2 times; names are unique"),
        (
            "tables.ITEMS",
            {"key": "a"},
            "tables: the names 'ITEMS' and 'items' differ in case alone; rename one of them",
        ),
    ],
)
def test_names_are_unique_whatever_their_case(tmp_path: Path, key: str, value: object, message: str) -> None:
    assert fault(tmp_path, key, value) == f"(whole file): {message}"


def test_a_fault_inside_a_list_is_not_told_twice(tmp_path: Path) -> None:
    message = fault(tmp_path, "trend", {"half_lives": ["soon"], "delay": "1m"})
    assert message.startswith("trend.half_lives.0: 'soon' is not a duration")
    assert "\n" not in message
