"""Tables and schemas with faults through `adi prepare`: one clear message each, or the rows counted; no folder left.

The log is correct as it stands; each test spoils one thing in it.
"""

import csv
import errno
import os
import re
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from adi.data.dataset import Dataset
from adi.data.manifest import read_manifest

Rows = list[dict[str, object]]

SCHEMA = """
domains: {column: domain, values: [search, feed]}
interactions: {path: log.csv, user: user, item: item, time: ts}
tables:
  items: {path: items.csv, key: item}
features:
  user:
    - {name: history, kind: behaviours, length: 5}
  item:
    - {name: item_id, kind: id}
    - {name: price, kind: numeric, table: items, buckets: 3}
    - {name: colour, kind: categorical, table: items}
split: {kind: last, validation: 0.5}
"""


class Place:
    """A folder with a log, a table of items and their schema, written only when prepared."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.out = folder, folder / "out"
        self.schema = SCHEMA
        self.log: Rows = [
            {
                "user": f"u{user}",
                "item": f"i{(user * 3 + place * 2) % 11}",
                "domain": "feed" if place % 3 == 2 else "search",
                "ts": 100 * place + user,
            }
            for user in range(12)
            for place in range(8)
        ]
        self.items: Rows = [{"item": f"i{n}", "price": n * 1.5, "colour": ("red", "blue")[n % 2]} for n in range(11)]

    def write(self) -> None:
        (self.folder / "schema.yaml").write_text(self.schema, encoding="utf-8")
        for name, rows in (("log", self.log), ("items", self.items)):
            with (self.folder / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
                columns = list(rows[0]) if rows else ["user", "item", "domain", "ts"]
                writer = csv.DictWriter(file, columns)
                writer.writeheader()
                writer.writerows(rows)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def set_all(rows: Rows, column: str, value: object) -> None:
    for row in rows:
        row[column] = value


def replace(place: Place, old: str, new: str) -> None:
    assert old in place.schema
    place.schema = place.schema.replace(old, new)


FAULTS: dict[str, tuple[Callable[[Place], object], str]] = {
    "no such file": (lambda p: replace(p, "log.csv", "logs.csv"), "'logs.csv': no file matches, looked for in"),
    "no such column": (
        lambda p: replace(p, "item: item, time", "item: itm, time"),
        "log.csv: no column 'itm' (interactions.item). Did you mean 'item'? Columns: user, item, domain, ts.",
    ),
    "no such column of a table": (
        lambda p: replace(p, "name: colour, kind", "name: color, kind"),
        "items.csv: no column 'color' (feature 'color'). Did you mean 'colour'?",
    ),
    "text where a number is needed": (
        lambda p: p.items[3].update(price="cheap"),
        "items.csv, column 'price': VARCHAR, and feature 'price' is numeric.",
    ),
    "undeclared domain": (
        lambda p: p.log[7].update(domain="serch"),
        "log.csv, column 'domain', row 8: 'serch' is not a declared domain (search, feed). Did you mean 'search'?",
    ),
    "empty domain": (
        lambda p: replace(p, "[search, feed]", "[search, feed, cart]"),
        "log.csv, column 'domain': no usable row of domain 'cart'. Remove it from domains.values",
    ),
    "all-null feature": (
        lambda p: set_all(p.items, "colour", ""),
        "items.csv, column 'colour': every value is missing. Remove feature 'colour'",
    ),
    "no finite number": (lambda p: set_all(p.items, "price", "NaN"), "items.csv, column 'price': no value is a finite"),
    "duplicate key": (
        lambda p: p.items.append({"item": "i4", "price": 1.0, "colour": "red"}),
        "items.csv, row 12: the key item = 'i4' is on 2 rows, first on row 5.",
    ),
    "empty log": (lambda p: p.log.clear(), "log.csv: the log has no rows."),
    "no usable row": (
        lambda p: set_all(p.log, "item", ""),
        "log.csv, row 1, column 'item': no value). Mend the columns",
    ),
    "one row for each user": (
        lambda p: p.log.__setitem__(slice(None), p.log[::8]),
        "leaves the test none of the 12 rows. Choose another split",
    ),
    "unknown key of the schema": (
        lambda p: replace(p, "length: 5", "lenght: 5"),
        "lenght: is not a known key. Did you mean 'length'?",
    ),
    "unknown section": (lambda p: replace(p, "tables:", "table:"), "table: is not a known key. Did you mean 'tables'?"),
    "wrong kind of split": (lambda p: replace(p, "kind: last", "kind: newest"), "'newest'"),
    "not YAML": (lambda p: replace(p, "values: [", "values: [["), "schema.yaml: not readable as YAML"),
    "key that comes twice": (
        lambda p: replace(p, "values: [search, feed]", "values: [search], values: [feed]"),
        "the key 'values' comes twice",
    ),
    "wrong expression": (
        lambda p: replace(p, "time: ts}", 'time: ts, positive: "raiting > 3"}'),
        "interactions.positive: 'raiting > 3' cannot be evaluated",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_ends_in_one_message_and_leaves_nothing(adi, place: Place, fault: str) -> None:
    spoil, message = FAULTS[fault]
    if fault == "one row for each user":
        replace(place, "[search, feed]", "[search]")
    spoil(place)
    place.write()
    before = sorted(place.folder.rglob("*"))
    done = adi("prepare", place.folder, "--out", place.out)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("adi: ")
    assert message in done.stderr
    assert sorted(place.folder.rglob("*")) == before


def test_a_corrupt_parquet_is_named(adi, place: Place) -> None:
    place.write()
    (place.folder / "log.parquet").write_bytes(b"PAR1" + bytes(64) + b"PAR1")
    (place.folder / "schema.yaml").write_text(SCHEMA.replace("log.csv", "log.parquet"))
    done = adi("prepare", place.folder, "--out", place.out)
    assert done.returncode == 2
    assert f"{place.folder / 'log.parquet'}: cannot be read as Parquet" in done.stderr
    assert not place.out.exists()


def test_a_full_disk_is_told_and_leaves_nothing(adi, place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: Path) -> str:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("adi.preparation.prepare.files_in", full)
    place.write()
    before = sorted(place.folder.rglob("*"))
    done = adi("prepare", place.folder, "--out", place.out)
    assert done.returncode == 2
    assert f"{place.out}: the disk is full" in done.stderr
    assert sorted(place.folder.rglob("*")) == before


def test_rows_that_cannot_be_used_are_counted_and_kept_apart(adi, place: Place) -> None:
    place.log[4].update(user="")
    place.log[9].update(item="")
    place.log[11].update(item="")
    place.log[20].update(domain="")
    place.items[2].update(price="inf")
    place.items.append({"item": "", "price": 1, "colour": "red"})
    place.write()
    done = adi("prepare", place.folder, "--out", place.out)
    assert (done.returncode, done.stderr) == (0, "")
    assert "96 rows read, 92 kept" in done.stdout
    assert f"Set aside: 1 no domain, 2 no item, 1 no user (see {place.out}/set_aside.parquet)" in done.stdout
    assert "Set aside of table items: 1 no key" in done.stdout
    assert "Not a finite number, taken as missing: 1 values of feature price" in done.stdout
    aside = pq.read_table(place.out / "set_aside.parquet").to_pylist()
    found = sorted((row["file_row"], row["reason"]) for row in aside)
    assert found == [(5, "no user"), (10, "no item"), (12, "no item"), (21, "no domain")]


def test_strict_ends_where_rows_cannot_be_used_and_leaves_nothing(adi, place: Place) -> None:
    place.log[4].update(user="")
    place.items[2].update(price="inf")
    place.write()
    before = sorted(place.folder.rglob("*"))
    done = adi("prepare", place.folder, "--out", place.out, "--strict")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.replace(f"{place.folder}/", "") == (
        "adi: --strict: faulty rows or values.\n"
        "  log: 1 no user\n"
        "    log.csv, row 5, column 'user': no value\n"
        "  feature price: 1 not finite\n"
        "    items.csv, row 3, column 'price': 'inf'\n"
        "Mend them, or leave strict out: then such rows are set aside, and such values count as missing.\n"
    )
    assert sorted(place.folder.rglob("*")) == before
    place.log[4].update(user="u0")
    place.items[2].update(price="3")
    place.write()
    assert adi("prepare", place.folder, "--out", place.out, "--strict").returncode == 0


def test_the_order_of_the_rows_is_that_of_the_times(adi, place: Place) -> None:
    place.write()
    adi("prepare", place.folder, "--out", place.out)
    place.log.reverse()
    place.write()
    adi("prepare", place.folder, "--out", place.folder / "again")
    first, again = (Dataset(folder) for folder in (place.out, place.folder / "again"))
    for part in ("train", "validation", "test"):
        for one, other in zip(*(data.targets(part, data.rows(part)) for data in (first, again)), strict=True):
            assert one.tolist() == other.tolist()
    assert len(first.rows("train")) > 20


@pytest.mark.parametrize("model", ["popularity", "item-knn", "dnn", "adi-se"])
def test_a_domain_of_one_user_and_one_item_goes_all_the_way(adi, place: Place, tiny: list[str], model: str) -> None:
    replace(place, "[search, feed]", "[search, feed, kiosk]")
    place.log += [{"user": "u3", "item": "i5", "domain": "kiosk", "ts": 10 + n} for n in range(3)]
    place.write()
    run = place.folder / "run"
    options = ["--set=epochs=1", *tiny] if model in ("dnn", "adi-se") else []
    assert adi("prepare", place.folder, "--out", place.out).returncode == 0
    assert read_manifest(place.out).by_domain["kiosk"].corpus == 1
    done = adi("train", place.out, "--model", model, "--out", run, *options)
    assert done.returncode == 0, done.stderr
    done = adi("evaluate", run, "--k", "5")
    assert done.returncode == 0, done.stderr
    assert re.search(r"^ kiosk \* +1 +1 ", done.stdout, re.MULTILINE)
    assert adi("retrieve", run, "--domain", "kiosk", "--user", "u0").stdout.split()[-3:-1] == ["1", "i5"]
    had = adi("retrieve", run, "--domain", "kiosk", "--user", "u3").stdout
    assert had == "Nothing to retrieve: user u3 has had every item of kiosk.\n"


def test_ids_may_be_any_text(adi, place: Place, tiny: list[str]) -> None:
    odd = {"u1": "bo b", "u2": "李 é", "u3": "x" * 10_000, "u4": "007", "u5": "[bold]", "u6": " lead"}
    for row in place.log:
        row["user"] = odd.get(str(row["user"]), row["user"])
        row["item"] = {"i1": "a b", "i2": ":pen:", "i3": "y" * 10_000, "i4": "001", "i5": "[/q]"}.get(
            str(row["item"]), row["item"]
        )
    place.write()
    run = place.folder / "run"
    adi("prepare", place.folder, "--out", place.out)
    assert adi("train", place.out, "--model", "popularity", "--out", run).returncode == 0
    for user in (*odd.values(), "u7"):
        done = adi("retrieve", run, "--domain", "search", "--user", user, "-k", "11")
        assert done.returncode == 0, done.stderr
    done = adi("retrieve", run, "--domain", "search", "--history", "i0", "-k", "11")
    words = done.stdout.split()
    assert {"001", ":pen:", "[/q]"} <= set(words)
    assert max(len(line) for line in done.stdout.splitlines()) <= 80
    assert done.stdout.count("y") == 10_000
