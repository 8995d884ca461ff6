"""Invalid options of `adi serve`, which are reported before the bundle is opened."""

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
        ("missing/events.db", "--events: missing/events.db: cannot keep events (unable to open database file)"),
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
    assert done.stderr == "adi: --workers: Input should be greater than or equal to 1 (got 0).\n"
