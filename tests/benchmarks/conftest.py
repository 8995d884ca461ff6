"""The benchmarks' command line, run in this process as ``python -m benchmarks`` runs it."""

import json
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from benchmarks.__main__ import main

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def benchmark() -> Callable[..., CompletedProcess[str]]:
    """A function that runs a command line, such as ``"loss --dim 4"``: its exit code and what it wrote."""

    def run(*words: object) -> CompletedProcess[str]:
        arguments = " ".join(str(word) for word in words).split()
        out, err, code = StringIO(), StringIO(), 0
        with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
            patch.chdir(ROOT)  # where its processes find the package
            try:
                main(arguments)
            except SystemExit as end:
                code = end.code if isinstance(end.code, int) else int(end.code is not None)
        return CompletedProcess(arguments, code, out.getvalue(), err.getvalue())

    return run


@pytest.fixture(scope="session")
def measure(benchmark: Callable[..., CompletedProcess[str]]) -> Callable[..., dict[str, Any]]:
    """A function that runs a command line with ``--json`` and returns the report."""

    def run(*words: object) -> dict[str, Any]:
        done = benchmark(*words, "--json")
        assert done.returncode == 0, done.stderr
        report: dict[str, Any] = json.loads(done.stdout)
        return report

    return run
