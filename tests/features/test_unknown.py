"""Counts of unknown values, by hand."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from adi.data.coding import Unknown
from adi.data.dataset import Dataset
from adi.features.recoding import open_recoded
from adi.features.unknown import unknown_values
from later_data import Rows


def new_values(rows: Rows, schema: dict[str, Any]) -> None:
    """A new item in search and feed, with two tags of which one is new; two new users; a new device in two rows."""
    clicks = [
        ("ni", "search", 50, "tv"),
        ("ni", "feed", 51, "phone"),
        ("nu", "search", 52, "tv"),
        ("nu", "feed", 53, None),
    ]
    rows["clicks"] += [
        {"user": user, "item": "new", "domain": domain, "time": time, "device": device, "hour": 1}
        for user, domain, time, device in clicks
    ]
    rows["items"].append({"item": "new", "price": 99.0, "tags": ["blue", "odd"]})
    rows["users"].append({"user": "ni", "age": "ancient", "langs": "fi|en|sv"})


def test_counts_by_hand(dataset: Dataset, later: Callable[..., Path]) -> None:
    recoded = open_recoded(later(new_values), dataset.coding)
    counted = {
        (unknown.side, unknown.feature): (unknown.unknown, unknown.values) for unknown in unknown_values(recoded)
    }
    own = sum(len(dataset.corpora.retrievable(domain)) for domain in range(3))
    rows, tests = recoded.num_rows, len(recoded.rows("test"))
    assert counted["item", "item_id"] == (2, own + 2)
    assert counted["item", "tags"][0] == 2
    assert counted["item", "price"] == counted["item", "bid"] == (0, own + 2)
    assert counted["history", "item_id"] == (4, rows)  # a user's only click in a domain is no test row
    assert counted["user", "age"] == (1, len(dataset.users) + 2)
    assert counted["user", "langs"][0] == 2
    assert counted["user", "level"] == (0, 3 * (len(dataset.users) + 2))  # a feature by domain has three for each
    assert counted["context", "device"] == (2, rows + tests)
    assert counted["context", "hour"] == (0, rows + tests)
    assert len(counted) == 10


def test_data_read_by_its_own_coding_has_no_counts(dataset: Dataset) -> None:
    assert unknown_values(dataset) == ()


def test_a_count_in_words() -> None:
    assert str(Unknown(side="item", feature="id", values=1000, unknown=12)) == "item id: 12 of 1,000 unknown (1.2 %)"
    assert str(Unknown(side="user", feature="age", values=0, unknown=0)) == "user age: 0 of 0 unknown (0.0 %)"
