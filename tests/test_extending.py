"""docs/extending.md: its file, taken from training to a served list, in steps that know nothing of each other."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.request import Request, urlopen

import numpy as np
import pytest
import torch

import command_line
from adi.errors import AdiError, ArgumentError
from adi.exporting.export import export
from adi.models.catalog import model_of
from adi.models.source import source_of
from adi.runs.info import ModelSource, read_info
from adi.training.evaluation import evaluate_run
from adi.training.fitted import open_run
from adi.training.train import train

PAGE = Path(__file__).parents[1] / "docs" / "extending.md"
SMALL = {
    "epochs": 1,
    "batch_size": 16,
    "embedding_sets": 1,
    "embedding_dim": 4,
    "dim": 4,
    "networks": [4],
    "uniform": 3,
}
NAMES = ("GATED", "DNN_BPR", "DNN_MAX")
MADE = """
import sys, adi, my_models
for name in sys.argv[2:]:
    adi.train(sys.argv[1], getattr(my_models, name, name), f"runs/{name}", settings=%r)
"""
EVALUATED = """
import sys, adi, my_models
for name in sys.argv[1:]:
    metrics = adi.evaluate(f"runs/{name}", model=getattr(my_models, name), metrics=[my_models.FIRST_ROW])
    assert 0 <= metrics.mean["first-row@10"] <= metrics.mean["recall@10"], metrics
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A folder with the page's file in it."""
    folder = tmp_path_factory.mktemp("extending")
    blocks = re.findall(r"^```py\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    (folder / "my_models.py").write_text("\n\n".join(blocks), encoding="utf-8")
    return folder


def forget_modules(folder: Path) -> None:
    """As in a new process, nothing of the folder is imported."""
    for name, module in [*sys.modules.items()]:
        if str(folder) in str(getattr(module, "__file__", None)):
            del sys.modules[name]


@pytest.fixture(autouse=True)
def _modules(folder, monkeypatch) -> Iterator[None]:
    """The folder is the current one; what a test imports from it is forgotten."""
    monkeypatch.chdir(folder)
    yield
    forget_modules(folder)


def run(*words: object, folder: Path) -> str:
    """The standard output of a process in the folder, which must succeed."""
    environment = os.environ | {"PYTHONPATH": f"{folder}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}
    done = subprocess.run([*map(str, words)], cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def adi(*words: object, folder: Path, in_a_process: bool = False) -> str:
    """The standard output of a command, in this process, which has imported nothing of the folder, or in a new one."""
    if in_a_process:
        return run(sys.executable, "-m", "adi", *words, folder=folder)
    forget_modules(folder)
    done = command_line.run(*words)
    assert done.returncode == 0, done.stderr
    return done.stdout


def served(bundle: str, request: dict[str, object], *, folder: Path) -> list[str]:
    """The list of the feed that a server of the bundle, a process of its own, answers a request with."""
    words = [sys.executable, "-m", "adi", "serve", bundle, "--port", "0"]
    with subprocess.Popen(words, cwd=folder, stdout=subprocess.PIPE, text=True) as server:
        try:
            address = re.search(r"http://[\d.]+:\d+", server.stdout.readline())[0]
            body = json.dumps(request).encode()
            with urlopen(Request(f"{address}/v1/retrieve", body), timeout=10) as answer:
                return json.load(answer)["results"][0]["domains"]["feed"]["items"]
        finally:
            server.terminate()


@pytest.mark.slow
def test_each_part_goes_from_training_to_a_served_list(folder, prepared) -> None:
    python = sys.executable
    run(python, "-c", MADE % SMALL, prepared, *NAMES, "dnn", folder=folder)
    run(python, "-c", EVALUATED, *NAMES, folder=folder)
    adi("evaluate", "runs/dnn", folder=folder)
    measure = ("--measure", "first-row@10", "--metric", "my_models:FIRST_ROW")
    compared = json.loads(adi("compare", "runs/dnn", "runs/GATED", *measure, "--json", folder=folder))
    assert compared["measure"] == "first-row@10"
    forget_modules(folder)
    for name in NAMES:
        export(f"runs/{name}", f"bundles/{name}", model=model_of(f"my_models:{name}"))
        answer = adi("retrieve", f"bundles/{name}", "--domain", "feed", "--user", "ana", "--json", folder=folder)
        expected = [item["item"] for item in json.loads(answer)["items"]]
        assert served(f"bundles/{name}", {"user": "ana", "domains": ["feed"]}, folder=folder) == expected


@pytest.mark.slow
def test_the_command_line_takes_a_model_of_ones_own_through_every_step(folder, prepared) -> None:
    model = ("--model", "my_models:GATED")
    options = [word for key, value in SMALL.items() for word in ("--set", f"{key}={value}")]
    adi("train", prepared, *model, "--out", "cli/run", *options, folder=folder, in_a_process=True)
    tuned = adi("tune", prepared, *model, "--out", "cli/tuning", "--trials", 2, *options, folder=folder)
    assert "gated" in (folder / "cli/tuning/best.yaml").read_text()
    assert "best.yaml" in tuned
    adi("evaluate", "cli/run", *model, folder=folder)
    adi("report", "cli/run", "--out", "cli/report.html", folder=folder)
    adi("export", "cli/run", *model, "--out", "cli/bundle", folder=folder)
    request = ("--domain", "search", "--user", "ana", "-k", 3, "--json")
    by_run = adi("retrieve", "cli/run", *model, *request, folder=folder, in_a_process=True)
    by_bundle = adi("retrieve", "cli/bundle", *request, folder=folder)
    assert not {"my_models"} & set(sys.modules)  # a bundle does not need it
    assert [item["item"] for item in json.loads(by_run)["items"]] == [
        item["item"] for item in json.loads(by_bundle)["items"]
    ]


def test_the_two_forms_of_the_encoder_agree(folder) -> None:
    encoder = model_of("my_models:DNN_MAX").encoders["max"](4, 1, None)
    rows, offsets = torch.randn(5, 3), torch.tensor([0, 2, 2, 5])
    padded, given = torch.zeros(3, 4, 3), torch.zeros(3, 4)
    for number, (start, stop) in enumerate(((0, 2), (2, 2), (2, 5))):
        padded[number, 4 - (stop - start) :] = rows[start:stop]
        given[number, 4 - (stop - start) :] = 1
    f_domain = torch.zeros(3, 3)
    torch.testing.assert_close(encoder(rows, offsets, f_domain), encoder.padded(padded, given, f_domain))


def test_a_run_of_a_foreign_model_imports_nothing_by_itself(folder, prepared, tmp_path) -> None:
    info = train(prepared, "my_models:GATED", tmp_path / "run", settings=SMALL)
    assert (info.model, info.source.path) == ("gated", "my_models:GATED")
    assert read_info(tmp_path / "run") == info
    with pytest.raises(ArgumentError, match=r"a custom model, 'gated' \(my_models:GATED\).* pass the model explicitly"):
        open_run(tmp_path / "run")
    assert open_run(tmp_path / "run", "my_models:GATED").info == info
    with pytest.raises(ArgumentError, match="was trained with 'gated', not with 'dnn-bpr'"):
        open_run(tmp_path / "run", "my_models:DNN_BPR")
    with pytest.raises(ArgumentError, match="was trained with 'gated', not with 'dnn'"):
        open_run(tmp_path / "run", "dnn")


def test_the_source_of_a_model_is_the_file_that_assigns_it(folder) -> None:
    (folder / "reexports.py").write_text("from my_models import GATED\n")
    outside = model_of("reexports:GATED")
    assert source_of(outside).path == "my_models:GATED"
    assert source_of(replace(outside, summary="held by no module")) == ModelSource(path=None, digest=None)
    assert source_of(model_of("dnn")) is None


def test_a_model_that_changed_since_the_run_is_refused(folder, prepared, tmp_path) -> None:
    text = (folder / "my_models.py").read_text()
    (folder / "changing.py").write_text(text)
    train(prepared, "changing:GATED", tmp_path / "run", settings=SMALL)
    del sys.modules["changing"]
    (folder / "changing.py").write_text(text.replace("# (R, 1, E)", "# another comment"))
    assert open_run(tmp_path / "run", "changing:GATED")
    del sys.modules["changing"]
    (folder / "changing.py").write_text(text.replace(".sigmoid()", ".tanh()"))
    with pytest.raises(
        ArgumentError, match=r"source code of 'gated' \(changing:GATED\) has changed since .* train again"
    ):
        open_run(tmp_path / "run", "changing:GATED")


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("nowhere:GATED", r"model: 'nowhere:GATED' does not import \(ModuleNotFoundError"),
        ("my_models:GATE", r"model: 'my_models:GATE': there is no such name\. Did you mean 'GATED'\?"),
        ("my_models:bpr", r"model: 'my_models:bpr': is of type function, not FittedModel or TrainedModel"),
        ("my_models:", r"model: 'my_models:' is not a path of the form package\.module:NAME"),
        ("broken:MINE", r"model: 'broken:MINE' does not import \(ZeroDivisionError"),
        ("dnnn", r"model: 'dnnn' is not a model\. Did you mean 'dnn'"),
        ("named:DNN", "model: 'dnn' is the name of a built-in model"),
    ],
)
def test_a_path_that_leads_to_no_model_is_refused_before_anything_is_written(
    folder, prepared, tmp_path, path, message
) -> None:
    (folder / "broken.py").write_text("1 / 0")
    (folder / "named.py").write_text(
        "from dataclasses import replace\nimport adi\nDNN = replace(adi.MODELS['dnn'], summary='mine')\n"
    )
    with pytest.raises(AdiError, match=message):
        train(prepared, path, tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        ("lambda *_, **__: 3.0", "loss: returned a float, not the sum over the samples as a 0-d tensor"),
        ("lambda query, *_, **__: query", r"loss: returned a tensor of shape \(\d+, 5\)"),
        ("lambda query, *_, **__: query.detach().sum()", "without a gradient"),
    ],
)
def test_a_loss_that_is_none_is_refused(folder, prepared, tmp_path, loss, message) -> None:
    name = f"losses_{abs(hash(loss))}"
    (folder / f"{name}.py").write_text(
        f"from dataclasses import replace\nimport adi\nMINE = replace(adi.MODELS['dnn'], name='mine', loss={loss})\n"
    )
    with pytest.raises(AdiError, match=message):
        train(prepared, f"{name}:MINE", tmp_path / "run", settings=SMALL)


def test_a_metric_with_the_name_of_one_of_adis_own_is_refused(prepared, tmp_path) -> None:
    from adi.metrics import Metric

    train(prepared, "popularity", tmp_path / "run")
    with pytest.raises(ArgumentError, match="metrics: 'recall' is the name of one of adi's own"):
        evaluate_run(tmp_path / "run", metrics=[Metric("recall", lambda ranks, k: np.zeros_like(ranks))])
    with pytest.raises(AdiError, match="metric 'nan': is not finite for rank"):
        evaluate_run(tmp_path / "run", metrics=[Metric("nan", lambda ranks, k: ranks * np.nan)])
    assert not (tmp_path / "run" / "metrics.json").exists()
    assert not (tmp_path / "run" / "ranks.parquet").exists()
