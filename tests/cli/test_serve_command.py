"""Invalid options of `adi serve` and `adi route`, which are reported before anything is opened or listens."""

import re
from pathlib import Path

import pytest


@pytest.mark.parametrize(
    ("where", "words"),
    [
        (
            "redis://adi:sesame@127.0.0.1:1/0",
            "--events: redis://127.0.0.1:1/0: cannot be used (Error 111 connecting to",
        ),
        (
            "redis://adi:ses#ame@127.0.0.1:1/0",
            "--events: not the address of a Redis server. Write redis://HOST:PORT/DB",
        ),
        ("postgres://adi:sesame@127.0.0.1/0", "--events: not the address of a Redis server"),
        ("missing/events.db", "--events: missing/events.db: cannot keep events (No such file or directory)"),
    ],
)
def test_a_store_of_events_that_cannot_be_used(adi, tmp_path: Path, where: str, words: str) -> None:
    for option in (True, False):
        with pytest.MonkeyPatch.context() as patched:
            if not option:
                patched.setenv("ADI_EVENTS", where)
            done = adi("serve", tmp_path / "no bundle", *(["--events", where] if option else []))
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith(f"adi: {words}")
        assert not re.search("ses|ame@", done.stderr)


def test_a_limit_out_of_range_is_refused(adi, tmp_path: Path) -> None:
    done = adi("serve", tmp_path / "no bundle", "--workers", 0)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "adi: --workers: should be 1 or more (got 0).\n"


@pytest.mark.parametrize(
    ("shard", "fault"),
    [("4", "'4' is not of the form 2/8."), ("5/4", "'5/4': shards have the numbers 1/4 to 4/4.")],
)
def test_a_shard_that_cannot_be(adi, tmp_path: Path, shard: str, fault: str) -> None:
    done = adi("serve", tmp_path / "no bundle", "--shard", shard)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"adi: --shard: {fault}\n")


def test_a_routing_file_that_is_missing_or_wrong(adi, tmp_path: Path) -> None:
    path = tmp_path / "routing.yaml"
    done = adi("route", path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"adi: TABLE: {path}: no such file. Write one that names the servers of each domain.\n"
    path.write_text("domains: {search: [a:8000]}")
    done = adi("route", path)
    assert (done.returncode, done.stdout) == (2, "")
    reason = "is not the address of a server. Write http://HOST:PORT (got 'a:8000')"
    assert done.stderr == f"adi: {path}: domains.search.0: {reason}\n"
    done = adi("route", path, "--in-flight", 0)
    assert done.stderr == "adi: --in-flight: should be 1 or more (got 0).\n"


def test_rollback_in_a_store_that_cannot_be_read(adi) -> None:
    done = adi("rollback", "memory://nothing/there")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("adi: memory://nothing/there: cannot be listed (")
