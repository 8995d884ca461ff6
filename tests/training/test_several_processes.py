"""Models trained by several processes, against the same models trained by one."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from adi.errors import AdiError
from adi.processes import group
from adi.processes.group import Processes
from adi.runs.epochs import read_epochs
from adi.runs.info import read_info
from adi.training import several
from adi.training.divided import Divided, Piece
from adi.training.evaluation import evaluate_run
from adi.training.fitted import open_run
from adi.training.initial_rows import normal_rows
from adi.training.tensor_file import NO_DIGEST, _layout, _write_digest, check_tensors, read_tensors, save_tensors
from adi.training.train import train

WORKER = Path(__file__).with_name("several_worker.py")
SMALL = {
    "embedding_sets": 1,
    "embedding_dim": 4,
    "dim": 4,
    "networks": (5,),
    "dropout": 0.0,
    "embedding_dropout": 0.0,
    "batch_size": 16,
}
SETTINGS = {**SMALL, "epochs": 2, "uniform": 3, "unknown_items": 0.0, "lr": 0.001}


def torchrun(count, script, *arguments, timeout=240):
    """Run a script in several processes; returns what `subprocess.run` does."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={count}", str(script)]
    return subprocess.run([*command, *arguments], capture_output=True, text=True, timeout=timeout, check=False)


def together(folder, trainings, *, count, timeout=120):
    """Do trainings in several processes; returns the error of each."""
    file = folder / "trainings.json"
    file.write_text(json.dumps({"trainings": trainings, "timeout": timeout}), encoding="utf-8")
    done = torchrun(count, WORKER, str(file))
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads((folder / "errors.json").read_text(encoding="utf-8"))


def assert_same_run(one, other, *, tolerance=1e-5):
    """Two runs have the same losses, and the same scores but for a constant, which no loss and no list depends on."""
    mine, theirs = read_epochs(one), read_epochs(other)
    assert [epoch.loss for epoch in mine] == pytest.approx([epoch.loss for epoch in theirs], abs=tolerance)
    assert [epoch.samples for epoch in mine] == [epoch.samples for epoch in theirs]
    assert read_info(one).kept == read_info(other).kept
    scores = zip(scores_of(one), scores_of(other), strict=True)
    assert max(float((score - another).abs().max()) for score, another in scores) < 100 * tolerance


def scores_of(run):
    """The scores of all items for the test queries of each domain, less their mean."""
    _, dataset, scorer = open_run(run)
    rows = dataset.rows("test")
    domains = dataset.targets("test", rows)[2]
    for domain in np.unique(domains):
        queries = dataset.queries("test", rows[domains == domain], causal=True, known="frozen")
        scores = scorer.against(domain, dataset.corpora.retrievable(domain))(queries)
        yield scores - scores.mean(dim=1, keepdim=True)


CASES = [  # model, options, settings
    ("adi-se", {"sharding": "row_wise"}, {"embedding_sets": 2}),
    ("adi-paper", {"sharding": "table_wise"}, {"average": 0.9}),
    ("mind", {}, {"keep": "domain"}),
    ("lightgcn", {}, {"networks": ()}),
    ("dnn-single", {}, {"refit": True}),
    ("adi-va", {}, {"self_training": True, "self_training_start": 0.2, "self_training_share": 0.1}),
    ("dnn", {}, {"batch_size": 64, "embedding_lr": 0.008}),  # trends and audiences; no two scores are nearly equal
]
EVALUATED = ("o0", "o5", "o6")
FAULTS = ("other seed", "no data", "full disk")


class Done(NamedTuple):
    """Results of three processes: the cases (s0, s1, ...), beside which one process did them (o0, o1, ...); evaluations
    of copies of some of the latter; and trainings with faults. Each has its error, if any."""

    folder: Path
    cases: list[str | None]
    evaluations: list[str | None]
    faults: list[str | None]


@pytest.fixture(scope="module")
def done(prepared, trending_audience, tmp_path_factory) -> Done:
    """All by the same processes, since starting them takes as long as the trainings."""
    folder = tmp_path_factory.mktemp("several")
    trainings = []
    for number, (model, options, settings) in enumerate(CASES):
        given, data = SETTINGS | settings, trending_audience.folder if model == "dnn" else prepared
        case = {"prepared": str(data), "model": model, "out": str(folder / f"s{number}"), "settings": given}
        trainings.append(case | options)
        train(data, model, folder / f"o{number}", settings=given, progress=False)
    for name in EVALUATED:
        shutil.copytree(folder / name, folder / f"{name}-together")
        evaluate_run(folder / name, progress=False)
    evaluations = [{"evaluate": str(folder / f"{name}-together")} for name in EVALUATED]
    plain = {"prepared": str(prepared), "model": "dnn", "settings": SETTINGS}
    faulty = [plain | {"out": str(folder / fault), "faults": {"1": fault}} for fault in FAULTS]
    errors = together(folder, [*trainings, *evaluations, *faulty], count=3)
    first = len(CASES) + len(EVALUATED)
    return Done(folder, errors[: len(CASES)], errors[len(CASES) : first], errors[first:])


@pytest.mark.slow
def test_several_processes_train_what_one_does(done) -> None:
    """Also domains of which a process has no sample, one of a single item, and a last batch smaller than the number of
    processes; statistics by domain, self-training, neighbours, interests, trends with audiences, and a refit."""
    assert done.cases == [None] * len(CASES)
    for number in range(len(CASES)):
        assert_same_run(done.folder / f"o{number}", done.folder / f"s{number}")


@pytest.mark.slow
def test_several_processes_evaluate_as_one_does(done) -> None:
    assert done.evaluations == [None] * len(EVALUATED)
    for name in EVALUATED:
        one, several = done.folder / name, done.folder / f"{name}-together"
        for file in ("metrics.json", "ranks.parquet", "lists.parquet"):
            assert (one / file).read_bytes() == (several / file).read_bytes()
    weights = [json.loads((done.folder / name / "interest.json").read_text()) for name in ("o5", "o5-together")]
    assert numbers_in(weights[0]) == pytest.approx(numbers_in(weights[1]), abs=1e-6)


def numbers_in(content):
    """The numbers of a JSON file, in its order."""
    if isinstance(content, dict | list):
        values = content.values() if isinstance(content, dict) else content
        return [number for value in values for number in numbers_in(value)]
    return [content] if isinstance(content, float) else []


@pytest.mark.slow
def test_processes_stop_with_one_message(done) -> None:
    """One process has another seed, no data or a full disk; files written before stay whole."""
    errors = done.faults
    assert errors[0].startswith("process 1 has another seed than process 0: 7, not 0. Start all with the same")
    assert errors[1].startswith("process 1: ")
    assert "-missing" in errors[1]
    assert "cannot be written (process 1: No space left on device). Free some space" in errors[2]
    assert not (done.folder / "other seed").exists()
    assert sorted(path.name for path in (done.folder / "full disk").iterdir()) == ["coding", "run.json"]


@pytest.mark.slow
def test_a_process_that_hangs_ends_the_training(prepared, tmp_path) -> None:
    training = {"prepared": str(prepared), "model": "dnn", "out": str(tmp_path / "run"), "settings": SETTINGS}
    file = tmp_path / "trainings.json"
    file.write_text(json.dumps({"trainings": [training | {"faults": {"1": "hangs"}}], "timeout": 3}))
    started = time.monotonic()
    done = torchrun(2, WORKER, str(file))
    assert done.returncode != 0
    assert "imed out" in done.stderr
    assert time.monotonic() - started < 100  # not torchrun's or PyTorch's half an hour


def workers_of(parent):
    """The processes below a process that train."""
    listed = subprocess.run(["ps", "-eo", "pid,ppid,args"], capture_output=True, text=True, check=True).stdout
    rows = [line.split(None, 2) for line in listed.splitlines()[1:]]
    return [int(pid) for pid, ppid, args in rows if int(ppid) == parent and " train " in args]


@pytest.mark.slow
def test_a_killed_process_is_started_again_and_one_process_goes_on(prepared, tmp_path) -> None:
    """Nothing is counted twice: the run is that of an undisturbed training."""
    settings = SETTINGS | {"epochs": 40, "checkpoint_steps": 1, "patience": 40, "refit": False}
    pairs = [f"--set={name}={list(value) if isinstance(value, tuple) else value}" for name, value in settings.items()]
    command = [sys.executable, "-m", "adi", "train", str(prepared), "--model", "adi-se", *pairs, "--nproc", "2"]
    run = tmp_path / "killed"
    with subprocess.Popen([*command, "--out", str(run)], stderr=subprocess.PIPE, text=True) as started:
        wait_for(lambda: len(read_epochs(run)) >= 3)
        os.kill(workers_of(started.pid)[1], signal.SIGKILL)
        epochs = len(read_epochs(run))
        wait_for(lambda: len(read_epochs(run)) >= epochs + 3)
        started.kill()
        assert "All go on from the last checkpoint." in started.stderr.read()  # which ends when its processes end
    left = len(read_epochs(run))
    assert left < 40
    train(prepared, "adi-se", run, settings=settings, resume=True, progress=False)
    train(prepared, "adi-se", tmp_path / "undisturbed", settings=settings, progress=False)
    assert [epoch.epoch for epoch in read_epochs(run)] == list(range(1, 41))
    assert_same_run(tmp_path / "undisturbed", run, tolerance=1e-3)  # rounding, after 40 epochs; a lost step is far more


def wait_for(condition, seconds=120):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.1)


def test_parts_cover_everything_once() -> None:
    for count in (1, 2, 3, 5):
        for size in (0, 1, 2, 3, 7, 10):
            for turn in (0, 1, 4):
                parts = [Processes(rank, count).part(size, turn=turn) for rank in range(count)]
                found = np.concatenate([np.arange(size)[part] for part in parts])
                assert sorted(found) == list(range(size))
                assert max(map(len, (np.arange(size)[part] for part in parts))) <= -(-size // count)
            if size:
                shares = [Processes(rank, count).shares(size) for rank in range(count)]
                assert len({len(share) for share in shares}) == 1
                assert {int(number) for share in shares for number in share} == set(range(size))


@pytest.mark.parametrize("rows_at_once", [1, 3, 100])
def test_results_of_all_shares_are_rejoined_some_rows_at_a_time(monkeypatch, rows_at_once) -> None:
    monkeypatch.setattr(group, "ROWS_AT_ONCE", rows_at_once)
    for size in (1, 2, 7, 9):
        results = torch.arange(float(size))[:, None] * torch.ones(2)
        shares = [results[torch.from_numpy(Processes(rank, 3).shares(size))] for rank in range(3)]
        sent = 0

        def all_gather(gathered, rows, shares=shares):
            nonlocal sent
            assert len(rows) <= rows_at_once
            for target, share in zip(gathered, shares, strict=True):
                target[:] = share[sent : sent + len(rows)]
            sent += len(rows)

        monkeypatch.setattr(group.dist, "all_gather", all_gather)
        assert torch.equal(Processes(1, 3).rejoined(shares[1], size), results)
        assert sent == len(shares[1])


def test_rows_drawn_by_block_are_those_of_one_draw() -> None:
    for rows in (1, 5, 16, 100, 1000):
        torch.manual_seed(3)
        whole, after = torch.empty(rows, 4).normal_(std=0.5), torch.rand(1)
        torch.manual_seed(3)
        blocks = list(normal_rows(rows, 4, 0.5, at_once=64))
        assert torch.equal(torch.cat([block for _, block in blocks]), whole)
        assert [first for first, _ in blocks] == list(np.cumsum([0, *(len(block) for _, block in blocks)])[:-1])
        assert torch.equal(torch.rand(1), after)


def test_a_file_of_several_processes_is_one_of_the_library(tmp_path) -> None:
    """Written by hand from the layout; the library, and `read_tensors` into other pieces, find the same."""
    table = torch.arange(12, dtype=torch.float32).view(4, 3)
    tensors = {
        "b": torch.tensor([1, 2]),
        "table": Divided((4, 3), torch.float32, ()),
        "a": torch.zeros(5, dtype=torch.uint8),
    }
    starts, header, size = _layout(tensors, {"progress": "{}", "digest": NO_DIGEST})
    content = bytearray(size)
    content[: len(header)] = header
    for name, tensor in (tensors | {"table": table}).items():
        raw = tensor.numpy().tobytes()
        content[starts[name] : starts[name] + len(raw)] = raw
    path = tmp_path / "file.safetensors"
    path.write_bytes(content)
    with pytest.raises(AdiError, match="other content than was written"):
        check_tensors(path)
    _write_digest(path)
    found = load_file(path)
    assert torch.equal(found["table"], table)
    assert found["b"].tolist() == [1, 2]
    mine = Divided((4, 3), torch.float32, (Piece(1, torch.empty(2, 3)), Piece(3, torch.empty(1, 3))))
    whole, metadata = read_tensors(path, {"table": mine})
    assert whole.keys() == {"a", "b"}
    assert metadata.keys() == {"progress", "digest"}
    assert torch.equal(mine.pieces[0].rows, table[1:3])
    assert torch.equal(mine.pieces[1].rows, table[3:])
    save_file({"table": table}, path)


class InThreads(Processes):
    """A process for tests, which is a thread; `boxes` has a value of each, and `barrier` is where they wait."""

    def __init__(self, rank: int, boxes: list[object], barrier: threading.Barrier) -> None:
        super().__init__(rank, len(boxes))
        self.boxes, self.barrier = boxes, barrier

    def objects(self, value):
        self.boxes[self.rank] = value
        self.barrier.wait()
        values = list(self.boxes)
        self.barrier.wait()
        return values


@pytest.mark.parametrize("lengths", [(1, 40), (40, 1)])
def test_processes_write_one_file_though_their_metadata_is_of_other_lengths(tmp_path, lengths) -> None:
    """Seconds of a step that each process measures have more digits in one than in the other."""
    table, path = torch.arange(12, dtype=torch.float32).view(4, 3), tmp_path / "file.safetensors"
    boxes: list[object] = [None, None]
    barrier = threading.Barrier(2, timeout=60)

    def save(rank: int) -> None:
        piece = Piece(2 * rank, table[2 * rank : 2 * rank + 2])
        tensors = {"table": Divided((4, 3), torch.float32, (piece,)), "whole": torch.arange(3)}
        save_tensors(path, tensors, {"seconds": "1" * lengths[rank]}, processes=InThreads(rank, boxes, barrier))

    with ThreadPoolExecutor(2) as threads:
        assert list(threads.map(save, range(2))) == [None, None]
    found, metadata = read_tensors(path, {})
    assert torch.equal(found["table"], table)
    assert found["whole"].tolist() == [0, 1, 2]
    assert metadata["seconds"] == "1" * lengths[0]


def test_the_extra_is_named_where_torchrec_is_missing(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "adi.training.sharded_tables", None)
    context = several.sharded_tables(Processes(0, 2), "auto", torch.device("cpu"), lr=0.1)
    with pytest.raises(AdiError, match=r"pip install 'adi-retrieval\[distributed\]' && pip install --no-deps"), context:
        pass
