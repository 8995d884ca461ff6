"""The parts that serve, in a process that refuses torch: every module is imported, and a bundle answers a request."""

import subprocess
import sys
from pathlib import Path

from adi.exporting.export import export
from adi.retrieval.retriever import Retriever
from adi.training.train import train
from hiding import hiding, modules_beyond
from test_architecture import WITHOUT_TORCH

DEPLOY = Path(__file__).parents[1] / "deploy"

SERVE = """
import importlib, pkgutil, sys

class RefuseTorch:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "torch":
            raise ImportError(f"{name} is imported by a part that must do without torch")

sys.meta_path.insert(0, RefuseTorch())
bundle, *parts = sys.argv[1:]
for part in parts:
    module = importlib.import_module(f"adi.{part}")
    for found in pkgutil.walk_packages(getattr(module, "__path__", ()), f"adi.{part}."):
        importlib.import_module(found.name)

from adi import Retriever

top = Retriever(bundle).retrieve("search", user="ana", k=3, filter="price is null", context={"device": "phone"})
print(*top.ids, *map(repr, top.scores))
"""


def test_what_serves_needs_no_torch(prepared: Path, tmp_path: Path) -> None:
    settings = {"embedding_sets": 1, "embedding_dim": 4, "dim": 4, "networks": (4,), "epochs": 1, "batch_size": 8}
    train(prepared, "dnn", tmp_path / "run", settings=settings)
    export(tmp_path / "run", tmp_path / "bundle")
    command = [sys.executable, "-W", "error", "-c", SERVE, str(tmp_path / "bundle"), *sorted(WITHOUT_TORCH)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    retriever = Retriever(tmp_path / "bundle")
    top = retriever.retrieve("search", user="ana", k=3, filter="price is null", context={"device": "phone"})
    assert done.stdout.split() == [*top.ids, *map(repr, top.scores)]
    assert top.ids


def test_what_serves_needs_only_what_its_list_has(prepared: Path, tmp_path: Path) -> None:
    """deploy/requirements-serve.txt: nothing else that is installed here can be imported."""
    settings = {"embedding_sets": 1, "embedding_dim": 4, "dim": 4, "networks": (4,), "epochs": 1, "batch_size": 8}
    train(prepared, "dnn", tmp_path / "run", settings=settings)
    export(tmp_path / "run", tmp_path / "bundle")
    wanted = [line for line in (DEPLOY / "requirements-serve.txt").read_text().splitlines() if line[0] != "#"]
    beyond = modules_beyond(wanted)
    assert {"torch", "duckdb", "altair", "tensorboard"} <= beyond
    script = hiding(beyond) + SERVE
    command = [sys.executable, "-c", script, str(tmp_path / "bundle"), "retrieval", "serving", "router"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()
