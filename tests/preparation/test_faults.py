"""Faulty rows and values, which `strict` refuses with their places; rows that the schema asks to leave out are none."""

import math

import pytest

from adi.errors import ArgumentError

BIDS = [
    {"item": "x", "shop": "a", "bid": 0.5},
    {"item": None, "shop": "a", "bid": 1.0},
    {"item": "y", "shop": "market", "bid": math.nan},  # set aside, so that its value is no fault of its own
    {"item": "y", "shop": "", "bid": 2.0},
    {"item": "z", "shop": "b", "bid": -math.inf},
]


def refused(workspace) -> list[str]:
    """The lines of the message with which strict ends, without the folder's name."""
    with pytest.raises(ArgumentError, match=r"^strict: faulty rows or values\.") as error:
        workspace.prepare(strict=True)
    assert workspace.left_behind() == []
    return str(error.value).replace(f"{workspace.folder}/", "").splitlines()[1:-1]


def test_every_fault_of_the_log_with_its_place(workspace, log):
    changes = {1: {"user": None}, 3: {"item": "", "domain": None}, 4: {"time": "soon"}, 6: {"time": None}}
    changes |= {8: {"user": ""}, 9: {"time": "x" * 500}, 11: {"domain": ""}}
    rows = [{**row, "time": f"2020-01-01 00:00:{row['time']}"} | changes.get(n, {}) for n, row in enumerate(log)]
    workspace.write("log.parquet", rows)
    workspace.interactions(path="log.parquet")
    assert refused(workspace) == [
        "  log: 1 no domain, 1 no item, 3 no readable time, 2 no user",
        "    log.parquet, row 2, column 'user': no value",
        "    log.parquet, row 4, column 'item': no value",
        "    log.parquet, row 5, column 'time': 'soon'",
    ]
    workspace.write("log.parquet", rows[9:10] + [row for n, row in enumerate(rows) if n not in changes])
    assert refused(workspace)[1] == f"    log.parquet, row 1, column 'time': '{'x' * 100}...'"


def test_times_that_cannot_be_read_are_written_down(workspace, log):
    changes = {2: {"time": "2020-02-30"}, 5: {"time": None}, 7: {"item": None}}
    rows = [{**row, "time": f"2020-01-01 00:00:{row['time']}"} | changes.get(n, {}) for n, row in enumerate(log)]
    workspace.write("log.jsonl", rows)
    workspace.prepare()
    aside = [(row["time"], row["time_as_written"], row["reason"]) for row in workspace.rows("set_aside")]
    assert aside[:2] == [(None, "2020-02-30", "no readable time"), (None, None, "no readable time")]
    assert aside[2] == (1577836820_000_000, None, "no item")


def test_faults_of_tables_and_of_values(workspace, log):
    workspace.write("log.jsonl", [{**row, "hour": math.inf if row["user"] == "cy" else 1.5} for row in log])
    workspace.add("context", name="hour_of_day", kind="numeric", column="hour", buckets=2)
    workspace.table("bids", BIDS, ["item", "shop"])
    workspace.add("item", name="bid", kind="numeric", table="bids", buckets=2)
    workspace.write("offers.csv", [{"sku": "x", "shop": "a"}, {"sku": "y", "shop": "b"}, {"sku": "", "shop": "b"}])
    workspace.schema["corpus"] = {"path": "offers.csv", "item": "sku", "domain": "shop"}
    assert refused(workspace) == [
        "  table corpus.path: 1 no key",
        "    offers.csv, row 3, column 'sku': no value",
        "  table bids: 1 domain not in the log, 2 no key",
        "    bids.parquet, row 2, column 'item': no value",
        "    bids.parquet, row 3, column 'shop': 'market'",
        "    bids.parquet, row 4, column 'shop': no value",
        "  feature hour_of_day: 1 not finite",
        "    log.jsonl, row 6, column 'hour': 'inf'",
        "  feature bid: 1 not finite",
        "    bids.parquet, row 5, column 'bid': '-inf'",
    ]


def test_what_the_schema_asks_for_is_no_fault(workspace, log):
    rows = [{**row, "stars": 1 if row["item"] == "w" else 5} for row in [*log, log[2], {**log[2], "time": 99}]]
    workspace.write("log.jsonl", rows)
    workspace.interactions(positive="stars > 3", duplicates="drop")
    workspace.schema["split"] = {"kind": "time", "at": 20, "until": 99, "validation": 0.0}
    manifest = workspace.prepare(strict=True)
    assert manifest.rows.set_aside == {"not positive": 2, "duplicate": 1, "at or after split.until": 1}


def test_clean_tables_are_prepared_as_without_strict(workspace):
    assert workspace.prepare("strict", strict=True).fingerprint == workspace.prepare("plain").fingerprint


class TestWhatIsSetAsideChangesNothing:
    """A file with such rows and one without them give the same dataset."""

    def test_no_user_or_item_comes_of_a_row_of_a_table(self, workspace):
        rows = [("x", "a"), ("ghost", "market"), ("spirit", None), ("new", "b")]
        workspace.table("bids", [{"item": item, "shop": shop, "bid": 1.5} for item, shop in rows], ["item", "shop"])
        workspace.add("item", name="bid", kind="numeric", table="bids", buckets=2)
        workspace.schema["corpus"] = "all"
        assert workspace.prepare().tables["bids"].kept == 2
        assert [row["key"] for row in workspace.rows("entities/item")] == ["new", "w", "x", "y", "z"]

    def test_a_random_split_draws_the_same_rows(self, workspace, log):
        workspace.schema["split"] = {"kind": "random", "share": 0.3, "validation": 0.0}
        alone = workspace.prepare("alone").fingerprint
        workspace.write("log.jsonl", [{**log[0], "item": None}, *log[:5], {**log[0], "user": ""}, *log[5:]])
        manifest = workspace.prepare()
        assert (manifest.rows.kept, manifest.fingerprint) == (len(log), alone)
