"""--prepared: a run on other data than it was trained on, from the command line."""

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest


@pytest.fixture(scope="module")
def later(adi, pipeline, tmp_path_factory) -> Path:
    """A larger log of the same marketplace, prepared by the same schema."""
    folder = tmp_path_factory.mktemp("later")
    adi("simulate", folder / "tables", "--interactions", 4000, "--domains", 3, "--seed", 5)
    schema = (pipeline.folder / "s.yaml").read_text()
    (folder / "s.yaml").write_text(schema.replace(str(pipeline.folder), str(folder)))
    said = adi("prepare", folder / "s.yaml", "--out", folder / "prepared")
    assert said.returncode == 0, said.stderr
    return folder / "prepared"


@pytest.fixture(scope="module")
def run(adi, pipeline, tmp_path_factory, tiny) -> Path:
    out = tmp_path_factory.mktemp("runs") / "dnn"
    adi("train", pipeline.folder / "prepared", "--model", "dnn", "--out", out, "--set", "epochs=1", *tiny)
    return out


def test_evaluate_says_what_is_unknown(adi, run: Path, later: Path) -> None:
    said = adi("evaluate", run, "--prepared", later)
    assert (said.returncode, said.stderr) == (0, "")
    metrics = json.loads((run / "metrics.json").read_text())
    assert metrics["fingerprint"] == json.loads((later / "manifest.json").read_text())["fingerprint"]
    assert f"\nUnknown to the run in {later}:\n" in said.stdout
    unknown = [counted for counted in metrics["unknown"] if counted["unknown"]]
    assert "history" in {counted["side"] for counted in unknown}
    for counted in unknown:
        line = f"{counted['side']} {counted['feature']}: {counted['unknown']:,} of {counted['values']:,} unknown ("
        assert f"\n{line}" in said.stdout


def test_a_gate_of_two_trainings_on_the_data_of_one(adi, run: Path, later: Path, tmp_path: Path, tiny) -> None:
    adi("train", later, "--model", "dnn", "--out", tmp_path / "new", "--set", "epochs=1", *tiny)
    adi("evaluate", tmp_path / "new")
    adi("evaluate", run)
    refused = adi("compare", run, tmp_path / "new")
    assert refused.returncode == 2
    assert "(adi evaluate RUN --prepared FOLDER)" in " ".join(refused.stderr.split())
    adi("evaluate", run, "--prepared", later)
    said = adi("compare", run, tmp_path / "new")
    assert said.returncode == 0, said.stderr
    assert "dnn (data=" in said.stdout


def test_export_and_retrieve_answer_from_that_data(adi, run: Path, later: Path, tmp_path: Path) -> None:
    said = adi("export", run, "--out", tmp_path / "bundle", "--prepared", later)
    assert f"\nUnknown to the run in {later}:\n" in said.stdout
    asked = ["--domain", "feed", "--user", "3", "--json"]
    exact = adi("retrieve", run, *asked, "--prepared", later)
    assert exact.stderr.startswith(f"Unknown to the run in {later}:\n")
    served = adi("retrieve", tmp_path / "bundle", *asked)
    items = [[one["item"] for one in json.loads(answer.stdout)["items"]] for answer in (exact, served)]
    assert items[0] == items[1]
    assert items[0] != [one["item"] for one in json.loads(adi("retrieve", run, *asked).stdout)["items"]]
    said = adi("retrieve-all", run, "--out", tmp_path / "top.parquet", "--prepared", later, "--domains", "feed")
    assert (
        said.stdout
        == f"Wrote {tmp_path / 'top.parquet'}: {pq.read_metadata(tmp_path / 'top.parquet').num_rows:,} rows.\n"
    )


def test_a_model_without_weights_says_that_it_is_fitted_anew(adi, pipeline, later: Path, tmp_path: Path) -> None:
    adi("train", pipeline.folder / "prepared", "--model", "popularity", "--out", tmp_path / "run")
    said = adi("evaluate", tmp_path / "run", "--prepared", later)
    assert f"popularity has no weights: it is fitted to the training rows of {later}.\n" in said.stdout


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["evaluate", "RUN", "--prepared", "nowhere"], "nowhere: not a prepared dataset (no manifest.json)"),
        (["retrieve", "RUN", "--domain", "feed", "--user", "3", "--prepared", "RUN"], "not a prepared dataset"),
        (["export", "RUN", "--out", "new", "--prepared", "nowhere"], "nowhere: not a prepared dataset"),
    ],
)
def test_a_folder_that_is_not_prepared_data(adi, run: Path, words: list[str], message: str) -> None:
    said = adi(*(word.replace("RUN", str(run)) for word in words))
    assert (said.returncode, said.stdout) == (2, "")
    assert message in " ".join(said.stderr.split())
