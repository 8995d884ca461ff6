"""Several processes export a bundle: the same as one does, or nothing."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from adi.bundle.manifest import read_bundle_info
from adi.exporting.export import export
from adi.training.train import train

WORKER = Path(__file__).with_name("export_worker.py")
SMALL = {"embedding_sets": 1, "embedding_dim": 6, "dim": 4, "networks": (5,), "epochs": 1, "batch_size": 8}


@pytest.mark.slow
def test_several_processes_export_what_one_does(prepared_with_bids, trending_context, tmp_path) -> None:
    """With bids; a model with tables by domain; trends with audiences, which are compared; and faults in two places."""
    exports = []
    for name, data, model, arguments in (
        ("bids", prepared_with_bids, "adi-se", {"bid": "bid"}),
        ("single", prepared_with_bids, "dnn-single", {}),
        ("trends", trending_context.folder, "dnn", {}),
    ):
        train(data, model, tmp_path / f"run-{name}", settings=SMALL, progress=False)
        export(tmp_path / f"run-{name}", tmp_path / f"alone-{name}", progress=False, **arguments)
        exports.append({"run": str(tmp_path / f"run-{name}"), "out": str(tmp_path / f"several-{name}"), **arguments})
    faulty = {**exports[0], "out": str(tmp_path / "faulty"), "fault": 1}
    taken = {**exports[0], "out": str(tmp_path / "alone-bids")}
    (tmp_path / "exports.json").write_text(json.dumps([*exports, faulty, taken]), encoding="utf-8")
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", str(WORKER)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*command, str(tmp_path / "exports.json")], capture_output=True, text=True, timeout=240, env=environment
    )
    assert done.returncode == 0, done.stderr[-4000:]
    *versions, fault, exists = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    for name, version in zip(("bids", "single", "trends"), versions, strict=True):
        alone, several = (read_bundle_info(tmp_path / f"{way}-{name}", verify=True) for way in ("alone", "several"))
        assert version == several.version
        assert several.files == alone.files
        assert several.domains == alone.domains
    assert fault.startswith("process 1: ")
    assert fault.endswith("a fault")
    assert "alone-bids: exists and is not empty" in exists
    assert not [path.name for path in tmp_path.iterdir() if "faulty" in path.name or path.name.endswith(".partial")]


@pytest.mark.slow
def test_a_killed_process_leaves_nothing_and_is_named(prepared, tmp_path) -> None:
    train(prepared, "dnn", tmp_path / "run", settings=SMALL, progress=False)
    command = [sys.executable, "-m", "adi", "export", str(tmp_path / "run"), "--out", str(tmp_path / "bundle")]
    with subprocess.Popen([*command, "--nproc", "2"], stderr=subprocess.PIPE, text=True) as started:
        end = time.monotonic() + 120
        while not list(tmp_path.glob(".bundle.*.partial/data")):
            assert time.monotonic() < end
            time.sleep(0.05)
        listed = subprocess.run(["ps", "-eo", "pid,ppid"], capture_output=True, text=True, check=True).stdout
        pairs = [[int(number) for number in line.split()] for line in listed.splitlines()[1:]]
        *_, last = sorted(pid for pid, parent in pairs if parent == started.pid)
        os.kill(last, signal.SIGKILL)
        assert started.stderr is not None
        assert "A process was ended by signal 9" in started.stderr.read()
    assert started.returncode == 1
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
