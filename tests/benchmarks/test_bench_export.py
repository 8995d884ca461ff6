"""The benchmark of an export, on markets small enough for a test; its memory is the kernel's, in /proc."""

from pathlib import Path

import pytest

from benchmarks.anonymous import AnonymousPeak

MIB = 1 << 20

pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="no /proc")


def test_sizes_are_measured_one_after_the_other(measure, tmp_path: Path) -> None:
    report = measure("export --items 1000,2000 --domains 1 --dim 8 --folder", tmp_path)
    small, large = report["rows"]
    assert (small["items"], large["items"]) == (1000, 2000)
    for row in report["rows"]:
        assert row["seconds"] > 0
        assert row["beyond_tables_mb"] <= row["not_of_files_mb"] < row["peak_mb"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["market-1000-1-8", "market-2000-1-8"]


def test_sizes_of_another_form_are_refused(benchmark) -> None:
    done = benchmark("export --items 1000,many")
    assert (done.returncode, done.stdout) == (2, "")
    assert "items: '1000,many' is not of the form 200000,1000000, in whole numbers of at least 1,000." in done.stderr


def test_memory_that_is_freed_again_counts() -> None:
    with AnonymousPeak() as memory:
        assert memory.peak is not None
        before = memory.peak
        kept = bytearray(64 * MIB)
        for first in range(0, len(kept), 4096):
            kept[first] = 1
        while memory.peak < before + 60 * MIB:
            pass
        del kept
    assert memory.peak < before + 80 * MIB
