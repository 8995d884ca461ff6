"""The command line run in this process as `adi` runs it, and a whole small pipeline that went through it once."""

from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import NamedTuple

import pytest

from command_line import run

Adi = Callable[..., CompletedProcess[str]]

TINY = [
    f"--set={setting}"
    for setting in ("batch_size=256", "embedding_sets=1", "embedding_dim=8", "networks=[8]", "dim=8", "uniform=20")
]


@pytest.fixture(scope="session")
def adi() -> Adi:
    return run


@pytest.fixture(scope="session")
def tiny() -> list[str]:
    """Options of `adi train` for a model that is trained in a second."""
    return TINY


class Pipeline(NamedTuple):
    """The folder of a pipeline (tables, prepared, run, report.html), and what each command said."""

    folder: Path
    said: dict[str, CompletedProcess[str]]


@pytest.fixture(scope="session")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    """Simulated tables, the schema that init guesses for them, and everything after it."""
    folder = tmp_path_factory.mktemp("pipeline")
    tables, prepared, trained = folder / "tables", folder / "prepared", folder / "run"
    names = ("users", "items", "user_domain", "item_domain")
    commands: dict[str, list[object]] = {
        "simulate": [tables, "--interactions", 3000, "--domains", 3, "--seed", 5],
        "init": [tables / "interactions", *(tables / f"{name}.parquet" for name in names), "--out", folder / "s.yaml"],
        "prepare": [folder / "s.yaml", "--out", prepared],
        "train": [prepared, "--model", "adi-se", "--out", trained, "--set", "epochs=1", *TINY],
        "evaluate": [trained, "--k", "5,20", "--json"],
        "report": [trained, "--out", folder / "report.html"],
    }
    said = {command: run(command, *arguments) for command, arguments in commands.items()}
    assert {command: one.stderr for command, one in said.items() if one.returncode} == {}
    return Pipeline(folder, said)
