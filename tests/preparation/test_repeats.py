"""Duplicates and seen test rows: counted by hand, and as a plain loop counts them; duplicates that are dropped."""

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adi.cli.show import counts_table, repeats
from adi.data.dataset import Dataset
from adi.data.manifest import DomainCounts
from adi.preparation.repeats import with_repeats

LOG = """
ann x a 1
ann x a 1
ann x a 1
ann x b 1
ann y a 2
ann x a 3
ann y a 4
bo  x a 1
bo  x a 2
bo  z b 3
bo  z b 3
bo  y b 4
cy  z b 5
cy  z b 6
dee w a 7
"""
"""Duplicates: ann's second and third row, and bo's second z.

The test has the last row of each user and domain. Of an item that the user had are, in a, ann's y and bo's x; in b,
ann's x, since her rows of domain a are as old and come first in the file, and cy's z, but not bo's y. dee has one row.
"""


NO_REPEATS = """
ann x a 1
ann y a 2
ann z a 3
bo  x b 1
bo  y b 2
cy  z a 1
cy  y a 2
dee y b 1
dee x b 2
"""


def rows_of(text):
    rows = [line.split() for line in text.strip().splitlines()]
    return [{"user": user, "item": item, "domain": domain, "time": int(time)} for user, item, domain, time in rows]


def counted(manifest):
    return {name: (counts.duplicates, counts.seen) for name, counts in manifest.by_domain.items()}


@pytest.fixture(params=[1, 4, 1 << 22])
def rows_at_once(request, monkeypatch):
    """A user at a time, two, and all."""
    monkeypatch.setattr("adi.preparation.repeats.ROWS_AT_ONCE", request.param)


def test_a_log_by_hand(workspace, rows_at_once):
    workspace.write("log.jsonl", rows_of(LOG))
    assert counted(workspace.prepare()) == {"a": (2, 2), "b": (1, 2)}


def test_a_log_without_time_by_hand(workspace, rows_at_once):
    """Equal in user, item and domain; the history of a test row is all that its user has in training."""
    workspace.write("log.jsonl", [{name: row[name] for name in ("user", "item", "domain")} for row in rows_of(LOG)])
    del workspace.schema["interactions"]["time"]
    # a: ann's x three times and y once more, bo's x; b: bo's z and cy's z. The tests: ann's y, bo's x; ann's x, cy's z
    assert counted(workspace.prepare()) == {"a": (5, 2), "b": (2, 2)}


def test_the_history_of_a_test_row_ends_at_its_time(workspace):
    rows = [("ann", "x", "a", 1), ("ann", "y", "a", 5), ("ann", "y", "b", 9), ("bo", "y", "b", 1)]
    tests = [("ann", "y", "a", 4), ("ann", "y", "a", 6), ("ann", "x", "b", 2), ("eve", "x", "b", 2)]
    names = ("user", "item", "domain", "time")
    for name, content in (("log", rows), ("test", tests)):
        workspace.write(f"{name}.jsonl", [dict(zip(names, row, strict=True)) for row in content])
    workspace.schema["split"] = {"kind": "files", "test": "test.jsonl", "validation": 0}
    assert counted(workspace.prepare()) == {"a": (0, 1), "b": (0, 1)}


def test_the_counts_are_those_of_the_queries(prepared, dataset):
    """The items that an evaluation leaves out."""
    rows = dataset.rows("test")
    _, items, domains = dataset.targets("test", rows)
    again = dataset.queries("test", rows).histories.counts_of(items) > 0
    assert np.bincount(domains[again], minlength=3).tolist() == [
        counts.seen for counts in dataset.manifest.by_domain.values()
    ]
    assert again.sum() == 5


cells = st.tuples(st.integers(0, 2), st.integers(0, 1), st.integers(0, 2))  # item, domain, time
users = st.lists(
    st.tuples(st.lists(cells, max_size=6), st.lists(st.tuples(cells, st.integers(0, 6)), max_size=4)),
    min_size=1,
    max_size=4,
)


@settings(max_examples=100)
@given(users, st.booleans(), st.sampled_from([1, 3, 100]))
def test_every_log_as_a_plain_loop_counts_it(users, timed, rows_at_once):
    log = [(user, *cell) for user, (kept, _) in enumerate(users) for cell in sorted(kept, key=lambda cell: cell[2])]
    tests = [
        (user, *cell, min(before, len(kept))) for user, (kept, tested) in enumerate(users) for cell, before in tested
    ]
    tests.sort(key=lambda row: (row[2], row[0]))  # by domain and user
    if not timed:
        log, tests = ([(*row[:3], 0, *row[4:]) for row in rows] for rows in (log, tests))
    rows = [*log, *(row[:4] for row in tests)]
    duplicates, seen = [0, 0], [0, 0]
    for position, row in enumerate(rows):
        duplicates[row[2]] += any(row == other for other in rows[:position])
    for user, item, domain, _, before in tests:
        history = [other for other in log if other[0] == user][:before]
        seen[domain] += any(other[1] == item for other in history)

    counts = DomainCounts(train=0, validation=0, test=0, users=0, items=0, corpus=0)
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr("adi.preparation.repeats.ROWS_AT_ONCE", rows_at_once)
        write(Path(folder), log, tests, len(users), timed=timed)
        found = with_repeats({"a": counts, "b": counts}, Path(folder))
    assert [one.duplicates for one in found.values()] == duplicates
    assert [one.seen for one in found.values()] == seen


def write(folder, log, tests, num_users, *, timed):
    """The arrays of a prepared dataset that say which rows there are."""
    for part, rows in (("interactions", log), ("test", tests)):
        (folder / part).mkdir()
        columns = np.array(rows, dtype=np.int64).reshape(len(rows), -1).T if rows else np.zeros((5, 0), dtype=np.int64)
        for name, column, kind in zip(
            ("user", "item", "domain", "time"), columns, ("i4", "i4", "i2", "i8"), strict=False
        ):
            if timed or name != "time":
                np.save(folder / part / f"{name}.npy", column.astype(kind))
        if part == "test":
            np.save(folder / part / "before.npy", columns[4].astype(np.int32))
    sizes = np.bincount([row[0] for row in log], minlength=num_users) if log else np.zeros(num_users, dtype=np.int64)
    np.save(folder / "interactions" / "user_offsets.npy", np.cumsum([0, *sizes]))


class TestDrop:
    """Rows that equal an earlier row are set aside."""

    def test_by_hand(self, workspace):
        workspace.write("log.jsonl", rows_of(LOG))
        workspace.interactions(duplicates="drop")
        manifest = workspace.prepare()
        assert manifest.rows.model_dump() == {"read": 15, "kept": 12, "set_aside": {"duplicate": 3}}
        assert [(row["file_row"], row["reason"]) for row in workspace.rows("set_aside")] == [
            (2, "duplicate"),
            (3, "duplicate"),
            (11, "duplicate"),
        ]
        assert counted(manifest) == {"a": (0, 2), "b": (0, 2)}

    def test_without_time_a_user_has_an_item_once_in_a_domain(self, workspace):
        workspace.write("log.jsonl", [{name: row[name] for name in ("user", "item", "domain")} for row in rows_of(LOG)])
        del workspace.schema["interactions"]["time"]
        workspace.interactions(duplicates="drop")
        manifest = workspace.prepare()
        assert (manifest.rows.kept, manifest.rows.set_aside) == (8, {"duplicate": 7})
        pairs = zip(*(workspace[f"interactions/{name}"] for name in ("user", "item", "domain")), strict=True)
        assert len(set(pairs)) == 8 - sum(counts.test for counts in manifest.by_domain.values())

    def test_they_are_kept_by_default(self, workspace):
        workspace.write("log.jsonl", rows_of(LOG))
        kept = workspace.prepare("default").rows
        workspace.interactions(duplicates="keep")
        assert workspace.prepare("keep").rows == kept
        assert (kept.kept, kept.set_aside) == (15, {})

    def test_another_context_is_another_row(self, workspace):
        rows = rows_of("ann x a 1\n" * 5 + LOG.lstrip())
        for row, device in zip(rows, ["phone", "tv", "phone", None, None, *["pc"] * 15], strict=True):
            row |= {"device": device, "ignored": len(str(device)) + row["time"] % 3}
        workspace.write("log.jsonl", rows)
        workspace.add("context", name="device", kind="categorical")
        workspace.interactions(duplicates="drop")
        manifest = workspace.prepare()
        assert [row["file_row"] for row in workspace.rows("set_aside")] == [3, 5, 7, 8, 16]
        # equal in user, item, domain and time are four of ann's x: on a phone, a television, nothing and a computer
        assert counted(manifest)["a"][0] == 3

    def test_a_row_with_a_fault_hides_no_other(self, workspace):
        rows = rows_of("ann x a 1\nann x a 1\nann x a 1\nann y a 2\nbo x b 1\nbo y b 2")
        for row, stars in zip(rows, (1, 5, 5, 5, 5, 5), strict=True):
            row["stars"] = stars
        workspace.write("log.jsonl", [*rows, {**rows[0], "item": ""}, {**rows[0], "item": ""}])
        workspace.interactions(duplicates="drop", positive="stars > 1")
        manifest = workspace.prepare()
        assert manifest.rows.set_aside == {"not positive": 1, "duplicate": 1, "no item": 2}
        assert [row["file_row"] for row in workspace.rows("set_aside") if row["reason"] == "duplicate"] == [3]

    def test_a_test_row_that_the_log_has_is_one_too(self, workspace):
        workspace.write("log.jsonl", rows_of("ann x a 1\nann y a 2\nbo x b 1\nbo y b 2"))
        workspace.write("test.jsonl", rows_of("ann y a 2\nann z a 3\nann z a 3\nbo y b 3"))
        workspace.schema["split"] = {"kind": "files", "test": "test.jsonl", "validation": 0}
        workspace.interactions(duplicates="drop")
        manifest = workspace.prepare()
        assert manifest.rows.set_aside == {"duplicate": 2}
        assert [(Path(row["file"]).name, row["file_row"]) for row in workspace.rows("set_aside")] == [
            ("test.jsonl", 1),
            ("test.jsonl", 3),
        ]
        assert counted(manifest) == {"a": (0, 0), "b": (0, 1)}


class TestSaid:
    """The sentences and the columns of `adi prepare`."""

    def columns(self, manifest):
        return [column.header for column in counts_table(manifest).columns]

    def test_of_duplicates_and_seen_rows(self, workspace):
        workspace.write("log.jsonl", rows_of(LOG))
        manifest = workspace.prepare()
        assert self.columns(manifest)[-4:] == ["corpus", "duplicates", "seen", "outside"]
        cells = [list(column.cells) for column in counts_table(manifest).columns[-3:]]
        # outside: ann's x and bo's y, which b has in its test alone
        assert cells == [["2", "1"], ["2", "2"], ["0", "2"]]
        duplicates, seen = repeats(manifest)
        assert duplicates == (
            "Duplicates: 3 rows equal another in user, item, domain and time. "
            "Leave them out: duplicates: drop under interactions in the schema."
        )
        assert seen == (
            "Seen: 4 test rows (80.0%) are of an item that the user had before, which lists leave out. "
            "If such an item may be retrieved again: repeats: true in the schema."
        )
        assert repeats(manifest.model_copy(update={"repeats": True})) == [duplicates]
        assert repeats(manifest.model_copy(update={"time": None}))[0] == (
            "Duplicates: 3 rows equal another in user, item and domain. "
            "If they are not repeats, leave them out: duplicates: drop under interactions in the schema."
        )

    def test_of_duplicates_that_differ_in_their_context(self, workspace):
        rows = rows_of("ann x a 1\nann x a 1\nann x a 1\nann y a 2\nbo x b 1\nbo y b 2")
        for row, device in zip(rows, ("phone", "tv", "tv", "tv", "tv", "tv"), strict=True):
            row["device"] = device
        workspace.write("log.jsonl", rows)
        workspace.add("context", name="device", kind="categorical")
        workspace.interactions(duplicates="drop")
        manifest = workspace.prepare()
        assert repeats(manifest) == [
            "Duplicates: 1 rows equal another in user, item, domain and time, but not in the context."
        ]

    def test_of_none(self, workspace):
        workspace.write("log.jsonl", rows_of(NO_REPEATS))
        manifest = workspace.prepare()
        assert counted(manifest) == {"a": (0, 0), "b": (0, 0)}
        assert repeats(manifest) == []
        assert self.columns(manifest) == ["domain", "train", "validation", "test", "users", "items", "corpus"]

    def test_of_a_dataset_of_an_older_adi(self, workspace):
        manifest = workspace.prepare()
        older = {
            name: counts.model_copy(update={"duplicates": None, "seen": None, "outside": None})
            for name, counts in manifest.by_domain.items()
        }
        manifest = manifest.model_copy(update={"by_domain": older})
        assert repeats(manifest) == []
        assert self.columns(manifest)[-1] == "corpus"


def test_a_dataset_that_is_opened_has_them(prepared):
    assert [counts.seen for counts in Dataset(prepared).manifest.by_domain.values()] == [2, 3, 0]
