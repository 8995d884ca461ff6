"""What a process of its own tells of the work in it. Peaks are the kernel's, so these need its /proc."""

from pathlib import Path

import pytest

from adi.bench.process import Work, check_cores, spend
from adi.errors import AdiError
from adi.machine import available_cores

MIB = 1 << 20
MODULE = """
import os
from adi.errors import AdiError

def touch(before, during, freed=0):
    kept = b"x" * before
    b"z" * freed
    return lambda: len(kept) + len(b"y" * during)

def tell_cores():
    def tell():
        raise AdiError(f"{len(os.sched_getaffinity(0))} cores")
    return tell

def fail():
    return lambda: 1 / 0
"""

pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="no /proc")


@pytest.fixture(autouse=True)
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "touching.py").write_text(MODULE)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{Path(__file__).parents[2] / 'src'}")


def touched(before: int = 0, during: int = 1, freed: int = 0) -> Work:
    return Work("touching:touch", {"before": before, "during": during, "freed": freed})


def test_what_the_work_adds_is_told_apart_from_what_was_there() -> None:
    spent = spend(touched(before=70 * MIB, during=40 * MIB))
    assert spent.seconds > 0
    assert spent.before is not None
    assert spent.added is not None
    assert 70 * MIB < spent.before < 120 * MIB
    assert 39 * MIB < spent.added < 45 * MIB  # the kernel counts in lots of pages
    assert spent.peak == spent.before + spent.added


def test_a_peak_before_the_work_does_not_count() -> None:
    spent = spend(touched(freed=60 * MIB))
    assert spent.added is not None
    assert spent.added < 2 * MIB


def test_the_memory_of_this_process_does_not_count() -> None:
    own = b"x" * (150 * MIB)
    spent = spend(touched())
    assert spent.peak is not None
    assert spent.peak < len(own)


def test_the_process_is_kept_to_some_cores() -> None:
    with pytest.raises(AdiError, match=r"^1 cores$"):
        spend(Work("touching:tell_cores", {}), cores=1)


@pytest.mark.parametrize("cores", [0, available_cores() + 1])
def test_more_cores_than_there_are_are_refused(cores: int) -> None:
    with pytest.raises(AdiError, match=f"--threads: {cores}; this process may use {available_cores()}"):
        check_cores(cores)


def test_a_process_that_fails_is_named(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(AdiError, match=r"the process of touching:fail ended with 1\.$"):
        spend(Work("touching:fail", {}))
    assert "ZeroDivisionError" in capfd.readouterr().err
