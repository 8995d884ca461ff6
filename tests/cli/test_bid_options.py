"""`--bid` and `--bid-weight` on the command line, on a bundle whose indexes have lists and on its run."""

import json
import math
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from adi.data.dataset import Dataset

DOMAINS = ("search", "feed", "cart")


@pytest.fixture(scope="module")
def bundle(adi, pipeline, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("bids") / "bundle"
    said = adi("export", pipeline.folder / "run", "--out", out, "--bid", "bid", "--exact-below", 0, "-k", 20)
    assert said.returncode == 0, said.stderr
    rows = [line.split() for line in said.stdout.splitlines() if line.strip()]
    assert rows[1][-3:] == ["recall", "with", "bids"]
    shown = {row[0]: (row[2], float(row[-1])) for row in rows if row[0] in DOMAINS}
    checked = json.loads((out / "bundle.json").read_text())["domains"]
    assert shown == {name: ("ivf", round(min(checked[name]["bids"]["recalls"]), 4)) for name in DOMAINS}
    assert min(recall for _, recall in shown.values()) >= 0.99
    return out


def retrieved(adi, *words):
    said = adi("retrieve", *words, "--json")
    assert said.returncode == 0, said.stderr
    return {one["item"]: one["score"] for one in json.loads(said.stdout)["items"]}


@pytest.mark.parametrize("domain", DOMAINS)
def test_a_bundle_and_its_run_agree_on_score_and_bid(adi, pipeline, bundle, domain: str) -> None:
    run, data = pipeline.folder / "run", Dataset(pipeline.folder / "prepared")
    bids = data.attributes(data.domains.index(domain), ["bid"])["bid"].to_pylist()
    ask = ["--domain", domain, "--user", 3, "-k", 6]
    every = retrieved(adi, run, "--domain", domain, "--user", 3, "-k", 1000)
    for weight in (0.5, 2.0):
        summed = {item: score + weight * math.log(bids[data.items.find(item)]) for item, score in every.items()}
        expected = {item: summed[item] for item in sorted(summed, key=summed.__getitem__, reverse=True)[:6]}
        of_run = retrieved(adi, run, *ask, "--bid", "bid", "--bid-weight", weight)
        of_bundle = retrieved(adi, bundle, *ask, "--bid-weight", weight)
        assert list(of_run) == list(of_bundle) == list(expected)
        assert of_run == pytest.approx(expected, rel=1e-5)
        summand = max(abs(score) for score in every.values())  # fp16: and a sum may be near 0
        assert of_bundle == pytest.approx(expected, rel=5e-3, abs=1e-3 * summand)


def test_users_that_are_no_text_are_named(adi, bundle, tmp_path: Path) -> None:
    (tmp_path / "users.txt").write_bytes(b"ana\n\xff\n")
    said = adi("retrieve-all", bundle, "--out", tmp_path / "top.parquet", "--users", tmp_path / "users.txt")
    assert (said.returncode, said.stdout) == (2, "")
    assert said.stderr.startswith(f"adi: {tmp_path}/users.txt: not readable as text: ")


def test_retrieve_all_with_a_weight(adi, bundle, tmp_path: Path) -> None:
    (tmp_path / "users.txt").write_text("3\n7\n")
    words = ["--users", tmp_path / "users.txt", "--domains", "feed", "-k", 4, "--bid-weight", 2]
    said = adi("retrieve-all", bundle, "--out", tmp_path / "top.parquet", *words)
    assert said.returncode == 0, said.stderr
    for row in pq.read_table(tmp_path / "top.parquet").to_pylist():
        alone = retrieved(adi, bundle, "--domain", "feed", "--user", row["user"], "-k", 4, "--bid-weight", 2)
        assert dict(zip(row["items"], row["scores"], strict=True)) == pytest.approx(alone)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["retrieve", "BUNDLE", "--bid-weight", "-1"], "--bid-weight: -1.0; give a number from 0"),
        (["retrieve", "BUNDLE", "--bid-weight", "nan"], "--bid-weight: nan; give a number from 0"),
        (["retrieve", "BUNDLE", "--bid-weight", "much"], "Invalid value for '--bid-weight'"),
        (
            ["retrieve", "BUNDLE", "--bid-weight", "1", "--bid", "bid"],
            "is a bundle, which brings its own bid. Leave it out.",
        ),
        (
            ["retrieve", "RUN", "--bid-weight", "1"],
            "--bid: missing. A bid weight needs the name of the items' attribute with their bids.",
        ),
        (["retrieve", "RUN", "--bid", "bit"], "no attribute 'bit'. Did you mean 'bid'?"),
        (["retrieve", "RUN", "--bid", "category", "--bid-weight", "1"], "is of type string, and a bid is a number"),
        (["export", "RUN", "--out", "new", "--bid", "bit"], "no attribute 'bit'. Did you mean 'bid'?"),
        (["export", "RUN", "--out", "new", "--bid", "past_clicks"], "is of type string, and a bid is a number"),
    ],
)
def test_a_users_fault_is_named(adi, pipeline, bundle, tmp_path: Path, monkeypatch, words, message) -> None:
    monkeypatch.chdir(tmp_path)
    places = {"RUN": pipeline.folder / "run", "BUNDLE": bundle}
    words = [places.get(word, word) for word in words]
    done = adi(*words, *(["--domain", "feed", "--user", "3"] if words[0] == "retrieve" else []))
    assert done.returncode == 2
    assert message in " ".join(done.stderr.replace("│", " ").split())
    assert list(tmp_path.iterdir()) == []
