"""The span of a log: the times of its usable rows, and its files."""

import datetime as dt

import pytest
import yaml

from adi.errors import AdiError
from adi.preparation.inputs import read_schema
from adi.preparation.span import span_of


def source_of(workspace):
    (workspace.folder / "schema.yaml").write_text(yaml.safe_dump(workspace.schema), encoding="utf-8")
    return read_schema(workspace.folder)


def test_the_first_and_last_usable_rows(workspace, log, tmp_path):
    path = workspace.write("log.jsonl", [*log, {"user": "ann", "item": None, "domain": "a", "time": 99}])
    items = workspace.table("items", [{"item": "x", "size": "big"}], "item")
    workspace.add("item", name="size", kind="categorical", table="items")
    span = span_of(source_of(workspace), tmp_path)
    assert (span.first, span.last, span.time, span.files) == (5, 40, "number", (path, items))


def test_timestamps_are_microseconds(workspace, log, tmp_path):
    workspace.write("log.jsonl", [{**row, "time": dt.datetime(1970, 1, 1, 0, 0, row["time"])} for row in log])
    span = span_of(source_of(workspace), tmp_path)
    assert (span.first, span.last, span.time) == (5_000_000, 40_000_000, "timestamp")


def test_a_log_without_time(workspace, tmp_path):
    workspace.interactions(time=None)
    with pytest.raises(AdiError, match=r"schema\.yaml: the log has no time.*interactions\.time"):
        span_of(source_of(workspace), tmp_path)


def test_a_log_without_usable_rows(workspace, log, tmp_path):
    workspace.write("log.jsonl", [{**row, "item": None} for row in log])
    with pytest.raises(AdiError, match=r"log\.jsonl: no row can be used"):
        span_of(source_of(workspace), tmp_path)
