"""Measures of a process of its own. Peaks are the kernel's, so these tests need its /proc."""

from pathlib import Path

import pytest

from adi.errors import AdiError
from adi.machine import available_cores
from benchmarks.process import Work, check_cores, run_in_process

ROOT = Path(__file__).parents[2]
MIB = 1 << 20
MODULE = """
import os
from adi.errors import AdiError

def touch(before, during, freed=0):
    kept = b"x" * before
    b"z" * freed
    return lambda: len(kept) + len(b"y" * during)

def count_cores():
    def count():
        raise AdiError(f"{len(os.sched_getaffinity(0))} cores")
    return count

def fail():
    return lambda: 1 / 0
"""

pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="no /proc")


@pytest.fixture(autouse=True)
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "touching.py").write_text(MODULE)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{ROOT}:{ROOT / 'src'}")


def touching(before: int = 0, during: int = 1, freed: int = 0) -> Work:
    return Work("touching:touch", {"before": before, "during": during, "freed": freed})


def test_memory_before_the_work_is_kept_apart_from_what_it_adds() -> None:
    usage = run_in_process(touching(before=70 * MIB, during=40 * MIB))
    assert usage.seconds > 0
    assert usage.before is not None
    assert usage.added is not None
    assert 70 * MIB < usage.before < 120 * MIB
    assert 39 * MIB < usage.added < 45 * MIB  # the kernel counts in batches of pages
    assert usage.peak == usage.before + usage.added


def test_a_peak_before_the_work_does_not_count() -> None:
    usage = run_in_process(touching(freed=60 * MIB))
    assert usage.added is not None
    assert usage.added < 2 * MIB


def test_the_memory_of_this_process_does_not_count() -> None:
    kept_here = b"x" * (150 * MIB)
    usage = run_in_process(touching())
    assert usage.peak is not None
    assert usage.peak < len(kept_here)


def test_the_process_is_kept_to_some_cores() -> None:
    with pytest.raises(AdiError, match=r"^1 cores$"):
        run_in_process(Work("touching:count_cores", {}), cores=1)


@pytest.mark.parametrize("cores", [0, available_cores() + 1])
def test_more_cores_than_there_are_are_refused(cores: int) -> None:
    with pytest.raises(AdiError, match=f"threads: {cores}; this process may use {available_cores()}"):
        check_cores(cores)


def test_a_process_that_fails_is_named(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(AdiError, match=r"the process of touching:fail ended with 1\.$"):
        run_in_process(Work("touching:fail", {}))
    assert "ZeroDivisionError" in capfd.readouterr().err
