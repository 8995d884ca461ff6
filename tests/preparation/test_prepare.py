"""`prepare` end to end: a log worked by hand in every format, and no half-written folder."""

import datetime as dt
import errno
import os
import signal
from collections import Counter
from pathlib import Path
from threading import Timer

import duckdb
import numpy as np
import pyarrow.parquet as pq
import pytest

import adi
import adi.preparation.prepare as prepare_module
from adi.data.arrays import ArrayWriter
from adi.data.manifest import read_manifest
from adi.errors import AdiError

FULL = os.strerror(errno.ENOSPC)


def test_the_log_by_hand(workspace):
    manifest = workspace.prepare()
    assert [row["key"] for row in workspace.rows("entities/user")] == ["ann", "bo", "cy", "dee"]
    assert [row["key"] for row in workspace.rows("entities/item")] == ["w", "x", "y", "z"]
    assert manifest.domains == ("a", "b")
    # by user and time; ann's 10, 15, 20, then bo's 10, 20, cy's, and dee's two, which keep the order of the file
    assert workspace["interactions/user"] == [0, 0, 0, 1, 1, 2, 3, 3]
    assert workspace["interactions/time"] == [10, 15, 20, 10, 20, 5, 7, 7]
    assert workspace["interactions/item"] == [1, 2, 2, 2, 1, 1, 0, 0]
    assert workspace["interactions/domain"] == [0, 1, 0, 1, 0, 1, 0, 1]
    assert workspace["interactions/held_out"] == [0] * 8
    assert workspace["interactions/user_offsets"] == [0, 3, 5, 6, 8]
    # the last of (ann, a), (bo, a), (ann, b), (bo, b); cy and dee would keep nothing
    assert workspace["test/user"] == [0, 1, 0, 1]
    assert workspace["test/domain"] == [0, 0, 1, 1]
    assert workspace["test/item"] == [1, 1, 3, 3]
    assert workspace["test/time"] == [40, 30, 20, 10]
    assert workspace["test/before"] == [3, 2, 3, 1]
    # z is only in the test: an item, and in no corpus
    assert workspace["corpus/item"] == [0, 1, 2, 0, 1, 2]
    assert workspace["corpus/count"] == [1, 2, 1, 1, 1, 2]
    assert workspace["corpus/eligible"] == [True] * 6
    assert workspace["corpus/offsets"] == [0, 3, 6]


def test_the_manifest_of_the_log(workspace):
    manifest = workspace.prepare()
    assert manifest == read_manifest(workspace.out)
    assert (manifest.users, manifest.items, manifest.time) == (4, 4, "number")
    assert manifest.rows.model_dump() == {"read": 12, "kept": 12, "set_aside": {}}
    assert manifest.by_domain["a"].model_dump() == {
        "train": 4, "validation": 0, "test": 2, "users": 3, "items": 3, "corpus": 3, "duplicates": 0, "seen": 2,
        "outside": 0,
    }  # fmt: skip
    assert manifest.by_domain["b"].model_dump() == {
        "train": 4, "validation": 0, "test": 2, "users": 4, "items": 3, "corpus": 3, "duplicates": 0, "seen": 0,
        "outside": 2,
    }  # fmt: skip
    assert workspace.rows("set_aside") == []
    assert (workspace.out / "schema.yaml").read_text() == (workspace.folder / "schema.yaml").read_text()


def test_a_prepared_folder_is_no_schema(workspace):
    workspace.prepare()
    with pytest.raises(AdiError, match=r"is a prepared dataset\. Give the schema\.yaml beside its tables"):
        adi.prepare(workspace.out, workspace.folder / "again")


def test_counts_add_up_where_rows_are_set_aside(workspace, log):
    broken = [
        {"user": "", "item": "x", "domain": "a", "time": 1},
        {"user": "ann", "item": None, "domain": "a", "time": 2},
        {"user": "ann", "item": "x", "domain": "", "time": 3},
        {"user": "ann", "item": "x", "domain": "a", "time": None},
        {"user": None, "item": None, "domain": "a", "time": 4},
    ]
    more = [{"user": "cy", "item": "y", "domain": "a", "time": time} for time in (1, 2, 3)]
    workspace.write("log.jsonl", [*log[:5], *broken, *log[5:], *more])
    workspace.schema["split"]["validation"] = 0.5  # of the four users, cy's number is drawn: see test_splitting
    manifest = workspace.prepare()
    reasons = {"no user": 2, "no item": 1, "no domain": 1, "no readable time": 1}
    assert manifest.rows.model_dump() == {"read": 20, "kept": 15, "set_aside": reasons}
    parts = [(part.train, part.validation, part.test) for part in manifest.by_domain.values()]
    assert parts == [(5, 1, 3), (3, 0, 3)]
    assert workspace["interactions/held_out"] == [0, 0, 0, 0, 0, 0, 1, 0, 0]
    aside = workspace.rows("set_aside")
    assert [(row["file_row"], row["reason"]) for row in aside] == [
        (6, "no user"), (7, "no item"), (8, "no domain"), (9, "no readable time"), (10, "no user"),
    ]  # fmt: skip
    assert {Path(row["file"]).name for row in aside} == {"log.jsonl"}
    assert aside[1] == aside[1] | {"user": "ann", "item": None, "domain": "a", "time": 2}


FEATURES = {
    "user": [
        {"name": "history", "kind": "behaviours"},
        {"name": "age", "kind": "categorical", "table": "users"},
        {"name": "langs", "kind": "multi", "table": "users", "separator": "|"},
    ],
    "item": [
        {"name": "item_id", "kind": "id", "min_count": 2},
        {"name": "price", "kind": "numeric", "buckets": 2, "table": "items"},
    ],
    "context": [{"name": "device", "kind": "categorical"}, {"name": "hour", "kind": "numeric", "buckets": 2}],
}


@pytest.mark.parametrize("suffix", ["parquet", "csv", "tsv.gz", "jsonl"])
def test_every_format_gives_the_same_arrays(workspace, log, suffix):
    for place, row in enumerate(log):
        row |= {
            "user": f"0{row['user']}\té, 0",
            "device": ("07", None, "7")[place % 3],
            "hour": (place / 2, None)[place % 2],
        }
        row["time"] = dt.datetime(2020, 1, 1, row["time"] % 24)
    users = [{"user": log[0]["user"], "age": "x", "langs": "b|a"}, {"user": log[1]["user"], "age": None, "langs": "a"}]
    items = [{"item": "x", "price": 1.5}, {"item": "y", "price": None}, {"item": "w", "price": 0.25}]
    for name, rows in (("log", log), ("users", users), ("items", items)):
        workspace.write(f"{name}.{suffix}", rows)
    workspace.interactions(path=f"log.{suffix}")
    workspace.schema["tables"] = {
        "users": {"path": f"users.{suffix}", "key": "user"},
        "items": {"path": f"items.{suffix}", "key": "item"},
    }
    workspace.schema["features"] = FEATURES
    manifest = workspace.prepare()
    assert manifest.time == "timestamp"
    assert [row["key"] for row in workspace.rows("entities/user")] == [
        f"0{u}\té, 0" for u in ("ann", "bo", "cy", "dee")
    ]
    day = int(dt.datetime(2020, 1, 1, tzinfo=dt.UTC).timestamp()) * 1_000_000
    hours = [(time - day) / 3.6e9 for time in workspace["interactions/time"]]
    assert hours == [10, 15, 16, 6, 10, 5, 7, 7]  # 40 h and 30 h were cut to 16 h and 6 h
    assert workspace["features/user/age"] == [0, 2, 0, 0]
    assert workspace["features/user/langs.values"] == [2, 3, 2]  # a of ann; b and a of bo
    assert workspace["features/user/langs.offsets"] == [0, 1, 3, 3, 3]
    assert workspace["features/item/item_id"] == [3, 2, 4, 1]
    assert workspace["features/item/price"] == [2, 3, 0, 0]
    assert [row["value"] for row in workspace.rows("vocabulary/device")] == ["07", "7"]
    assert workspace["interactions/context_device"] == [0, 0, 2, 2, 0, 3, 3, 2]
    assert workspace["interactions/context_hour"] == [0, 3, 3, 2, 2, 0, 3, 0]  # the edge is the median, 3, of training


def test_the_same_input_has_the_same_fingerprint(workspace, log):
    first = workspace.prepare("first")
    assert workspace.prepare("second").fingerprint == first.fingerprint
    log[0]["item"] = "y"
    workspace.write("log.jsonl", log)
    assert workspace.prepare("third").fingerprint != first.fingerprint


def test_progress_reaches_the_end_of_every_stage(workspace):
    stages = []
    workspace.prepare(progress=lambda *stage: stages.append(stage))
    assert Counter(stage for stage, done, of in stages if done == of).keys() == {stage for stage, _, _ in stages}
    assert stages[-1] == ("checksum", 1, 1)


def test_a_log_of_many_files_is_one_log(workspace, log):
    for number, rows in enumerate((log[:4], log[4:9], log[9:])):
        workspace.write(f"parts/{number}.parquet", rows)
    workspace.interactions(path="parts")
    workspace.prepare()
    assert workspace["test/before"] == [3, 2, 3, 1]
    assert workspace["test/item"] == [1, 1, 3, 3]


def test_a_domain_of_one_user_and_one_item(workspace, log):
    workspace.write("log.jsonl", [*log, {"user": "eve", "item": "q", "domain": "c", "time": 1}])
    manifest = workspace.prepare()
    assert manifest.by_domain["c"].model_dump() == {
        "train": 1, "validation": 0, "test": 0, "users": 1, "items": 1, "corpus": 1, "duplicates": 0, "seen": 0,
        "outside": 0,
    }  # fmt: skip
    assert workspace["corpus/offsets"] == [0, 3, 6, 7]


def full_disk(*_, **__):
    raise OSError(errno.ENOSPC, FULL)


def full_disk_in_the_engine(*_, **__):
    raise duckdb.IOException(f"IO Error: Could not write file: {FULL}")


@pytest.mark.parametrize("failure", [full_disk, full_disk_in_the_engine])
@pytest.mark.parametrize(
    ("owner", "name"),
    [(ArrayWriter, "append"), (np, "save"), (pq.ParquetWriter, "write_batch"), (prepare_module, "assign_parts")],
)
def test_a_full_disk_leaves_nothing(workspace, monkeypatch, owner, name, failure):
    monkeypatch.setattr(owner, name, failure)
    with pytest.raises(AdiError, match=rf"prepared: the disk is full \(.*{FULL}.*free some space"):
        workspace.prepare()
    assert workspace.left_behind() == []


@pytest.mark.parametrize("stage", ["reading the log", "numbering", "features", "writing the rows", "checksum"])
@pytest.mark.parametrize("failure", [KeyboardInterrupt, RuntimeError])
def test_an_interruption_leaves_nothing(workspace, stage, failure):
    def interrupt(reached, done, of):
        if (reached, done) == (stage, of):
            raise failure

    with pytest.raises(failure):
        workspace.prepare(progress=interrupt)
    assert workspace.left_behind() == []


def test_ctrl_c_ends_a_long_query(workspace, monkeypatch):
    monkeypatch.setattr("adi.engines.expression.fault_of_expression", lambda *_: None)  # no expression takes so long
    workspace.interactions(positive="(SELECT sum(n % 7) FROM range(1000000000000) AS numbers(n)) > 0")
    key = Timer(1.5, os.kill, (os.getpid(), signal.SIGINT))
    key.start()
    with pytest.raises(KeyboardInterrupt):
        workspace.prepare()
    assert workspace.left_behind() == []


def test_a_folder_in_the_way_is_kept(workspace):
    workspace.out.mkdir()
    (workspace.out / "kept.txt").write_text("kept")
    with pytest.raises(AdiError, match=rf"{workspace.out}: exists and is not empty\. Remove it"):
        workspace.prepare()
    assert [path.name for path in workspace.out.iterdir()] == ["kept.txt"]


@pytest.mark.parametrize(
    ("memory", "message"),
    [
        ("2 apples", r"^memory: '2 apples' is no size. .*such as 2GB"),
        ("300KB", r"^memory: 300KB do not suffice.*Give more memory"),
    ],
)
def test_the_memory_must_be_a_size_and_suffice(workspace, memory, message):
    with pytest.raises(AdiError, match=message):
        workspace.prepare(memory=memory)
    assert workspace.left_behind() == []


def test_a_schema_that_is_not_there(tmp_path):
    with pytest.raises(AdiError, match=rf"{tmp_path}/schema.yaml: no such file"):
        prepare_module.prepare(tmp_path, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []
