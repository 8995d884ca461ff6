"""`adi serve` of an experiment as a process, and what it refuses before it listens."""

import http.client
import json
import os
import re
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pyarrow.parquet as pq
import pytest


@pytest.fixture(scope="module")
def folder(pipeline, adi, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle, and an experiment in which both arms are this one."""
    folder = tmp_path_factory.mktemp("serve")
    assert adi("export", pipeline.folder / "run", "--out", folder / "bundle").returncode == 0
    arms = {"control": {"bundle": "bundle", "weight": 3}, "treatment": {"bundle": "bundle", "weight": 1}}
    (folder / "a-a.yaml").write_text(json.dumps({"name": "a-a", "arms": arms}))
    return folder


def test_an_experiment_is_served_and_logged_until_it_is_told_to_end(folder: Path, tmp_path: Path) -> None:
    words = ["serve", folder / "a-a.yaml", "--port", 0, "--exposures", tmp_path / "log"]
    process = subprocess.Popen(
        [sys.executable, "-m", "adi", *map(str, words)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    try:
        assert process.stdout is not None
        said = process.stdout.readline()
        version = json.loads((folder / "bundle" / "bundle.json").read_text())["version"]
        shares = f"control 75% (version {version}), treatment 25% (version {version})"
        found = re.fullmatch(
            rf"Serving {folder}/a-a\.yaml, {re.escape(shares)}, on http://(\S+)\. Ctrl-C ends it\.\n", said
        )
        assert found is not None, said
        with closing(http.client.HTTPConnection(found[1], timeout=60)) as connection:
            connection.request("GET", "/v1/users?limit=9")
            users = json.loads(connection.getresponse().read())["users"]
            body = json.dumps({"requests": [{"user": user, "k": 3} for user in users]})
            connection.request("POST", "/v1/retrieve", body)
            results = json.loads(connection.getresponse().read())["results"]
        process.send_signal(signal.SIGTERM)
        assert process.communicate(timeout=60) == ("", None)
    finally:
        process.kill()
        process.communicate()
    (path,) = (tmp_path / "log").iterdir()
    rows = pq.read_table(path).to_pylist()
    assert [(row["arm"], row["version"], row["items"]) for row in rows] == [
        (result["arm"], version, own["items"]) for result in results for own in result["domains"].values()
    ]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["{}/bundle", "--exposures", "{}/a-a.yaml"],
            "--exposures: {}/a-a.yaml: cannot be written (File exists). Give",
        ),
        (["{}/a-a.yaml", "--watch", "{}"], "--watch: an experiment compares the bundles of its file"),
        (["{}/no.yaml"], "{}/no.yaml: not a bundle (no bundle.json)"),
        (["{}/bundle/bundle.json"], "{}/bundle/bundle.json: "),
    ],
)
def test_what_cannot_be_served_is_told_in_one_message(adi, folder: Path, words: list[str], said: str) -> None:
    done = adi("serve", *[word.format(folder) for word in words])
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"adi: {said.format(folder)}")


def test_a_server_has_one_thread_of_numpy(adi, monkeypatch) -> None:
    """Its threads would take the cores from those of the index."""
    seen = []
    monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
    monkeypatch.setattr("adi.serving.server.serve", lambda *_, **__: seen.append(os.environ["OPENBLAS_NUM_THREADS"]))
    adi("serve", "bundle")
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "4")
    adi("serve", "bundle")
    assert seen == ["1", "4"]
