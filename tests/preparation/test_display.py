"""The display of items: which attributes are title and picture, as text, and the hosts that pictures come from."""

import pytest
import yaml

from adi.data.dataset import Dataset
from adi.data.manifest import DisplayInfo
from adi.errors import AdiError

LOG = [
    {"user": user, "item": item, "domain": domain, "time": time}
    for time, (user, item, domain) in enumerate(
        [("u", "x", "a"), ("u", "y", "b"), ("u", "x", "a"), ("v", "x", "a"), ("v", "z", "b")]
    )
]
ITEMS = [
    {"item": "x", "title": 1984, "image": "https://b.example/x.png"},
    {"item": "y", "title": None, "image": "http://a.example:8080?y"},
    {"item": "z", "title": 7, "image": "javascript:alert(1)"},
]


@pytest.fixture
def shown(workspace):
    workspace.write("log.jsonl", LOG)
    workspace.table("items", ITEMS, "item")
    workspace.schema["display"] = {"table": "items", "title": "title", "image": "image"}
    return workspace


def test_a_table_that_no_feature_names_is_read_for_its_titles(shown) -> None:
    manifest = shown.prepare()
    assert manifest.display == DisplayInfo(
        title="title", image="image", image_sources=("http://a.example:8080", "https://b.example")
    )
    assert Dataset(shown.out).attributes(0, ["title"])["title"].to_pylist() == ["1984", None, "7"]


def test_an_attribute_has_the_name_of_its_table_where_two_tables_have_the_column(shown) -> None:
    shown.table("more", [{"item": "x", "title": "other", "price": 1.0}, {"item": "y", "price": 2.0}], "item")
    shown.add("item", name="price", kind="numeric", table="more")
    assert shown.prepare().display.title == "items.title"


def test_many_hosts_are_allowed_by_their_schemes(shown) -> None:
    items = [{"item": f"{number}", "title": 0, "image": f"https://{number}.example/"} for number in range(21)]
    shown.table("items", [*items[:20], *ITEMS[:1]], "item")
    assert shown.prepare().display.image_sources == ("https:",)


@pytest.mark.parametrize(
    ("display", "fault"),
    [
        ({"table": "item", "title": "title"}, "display names table 'item', which is not in tables: .items.. Did you"),
        ({"table": "items"}, "name a column of titles"),
        ({"table": "items", "title": "name"}, r"items\.parquet: no column 'name' \(display\.title\)"),
    ],
)
def test_what_does_not_fit_is_refused(shown, display, fault) -> None:
    shown.schema["display"] = display
    with pytest.raises(AdiError, match=fault):
        shown.prepare()


def test_a_table_of_users_has_no_titles(shown) -> None:
    shown.table("users", [{"user": "u", "age": "old", "name": "Una"}], "user")
    shown.add("user", name="age", kind="categorical", table="users")
    shown.schema["display"] = yaml.safe_load("{table: users, title: name}")
    with pytest.raises(AdiError, match=r"display\.table: 'users' is a table of users"):
        shown.prepare()
