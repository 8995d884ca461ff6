"""`adi train --self-training` as a user sees it."""

import json
import re

import yaml


def test_the_option_is_the_setting(adi):
    said = adi("train", "nowhere", "--model", "dnn", "--self-training", "--set", "self_training=false", "--show-config")
    assert yaml.safe_load(said.stdout)["training"]["self_training"] is True
    assert (
        yaml.safe_load(adi("train", "nowhere", "--model", "dnn", "--show-config").stdout)["training"]["keep"] == "mean"
    )


def test_a_training_tells_what_self_training_took(adi, pipeline, tiny, tmp_path):
    run = tmp_path / "run"
    options = ["--set", "epochs=2", "--set", "k=5", "--set", "keep=domain", *tiny]
    done = adi("train", pipeline.folder / "prepared", "--model", "dnn", "--self-training", "--out", run, *options)
    assert done.returncode == 0, done.stderr
    said = " ".join(done.stdout.split())
    pattern = (
        r"Self-training, from step (\d+) of (\d+): (\d+) pseudo-positives of ([\d,]+) pairs\. Of \d+ s, \d+ s went"
    )
    start, steps, accepted, scored = re.search(pattern, said).groups()
    audit = json.loads((run / "self_training.json").read_text(encoding="utf-8"))
    assert (int(start), int(steps)) == (audit["start_step"], audit["steps"]) == (int(steps) // 2, int(steps))
    assert 0 < int(accepted) == sum(pair["accepted"] for pair in audit["pairs"])
    assert int(scored.replace(",", "")) == sum(pair["scored"] for pair in audit["pairs"])
    info = json.loads((run / "run.json").read_text(encoding="utf-8"))
    assert set(info["kept"]) == set(info["domains"])
    assert ("epochs kept:" in said) == (len(set(info["kept"].values())) > 1)


def test_models_that_are_not_trained_refuse_it(adi, pipeline, tmp_path):
    done = adi(
        "train", pipeline.folder / "prepared", "--model", "item-knn", "--self-training", "--out", tmp_path / "run"
    )
    assert done.returncode == 2
    assert "item-knn is fitted without training. Leave it out, or choose a model that is trained" in done.stderr
    assert not (tmp_path / "run").exists()
