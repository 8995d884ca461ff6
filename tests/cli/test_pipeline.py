"""From simulated tables to a report, each step as its command."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import fsspec
import pytest

from adi.data.dataset import Dataset
from adi.data.manifest import read_manifest
from adi.retrieval.retriever import Retriever
from adi.schema import load_schema

DOMAINS = ("search", "feed", "cart")


def parsed(text: str) -> Any:
    """Strict JSON of one line: no NaN, nothing before or after."""
    assert text.count("\n") == 1

    def refuse(constant: str) -> None:
        pytest.fail(f"{constant} is no JSON")

    return json.loads(text, parse_constant=refuse)


def test_every_step_names_the_next(pipeline) -> None:
    place = pipeline.folder
    assert pipeline.said["simulate"].stdout == (
        f"Wrote {place / 'tables'}. Next: adi prepare {place / 'tables' / 'schema.yaml'} --out prepared\n"
    )
    assert f"adi prepare {place / 's.yaml'} --out prepared" in pipeline.said["init"].stdout
    assert f"adi train {place / 'prepared'} --model adi-se --out run" in pipeline.said["prepare"].stdout
    assert f"adi evaluate {place / 'run'}" in pipeline.said["train"].stdout


def test_init_keeps_the_address_of_a_table_in_a_store(adi, tmp_path: Path) -> None:
    rows = [f"u{row % 9},i{row % 17},{'ab'[row % 2]},{row}" for row in range(200)]
    fsspec.filesystem("memory").pipe("/init/log.csv", "\n".join(["user_id,item_id,domain,ts", *rows]).encode())
    assert adi("init", "memory://init/log.csv", "--out", tmp_path / "s.yaml").returncode == 0
    assert load_schema(tmp_path / "s.yaml").interactions.path == "memory://init/log.csv"


def test_init_writes_a_schema_that_holds(pipeline) -> None:
    schema = load_schema(pipeline.folder / "s.yaml")
    assert (schema.interactions.user, schema.interactions.item, schema.interactions.time) == (
        "user_id",
        "item_id",
        "ts",
    )
    assert set(schema.domains.values or ()) == set(DOMAINS)


def test_prepare_shows_the_counts_of_the_manifest(pipeline) -> None:
    manifest = read_manifest(pipeline.folder / "prepared")
    rows = [line.split() for line in pipeline.said["prepare"].stdout.splitlines()]
    for domain, counts in manifest.by_domain.items():
        numbers = [counts.train, counts.validation, counts.test, counts.users, counts.items, counts.corpus]
        numbers += [counts.outside]  # of items that only the test has
        assert (counts.duplicates, counts.seen) == (0, 0)
        assert [domain, *(f"{number:,}" for number in numbers)] in rows
    assert sum(counts.train for counts in manifest.by_domain.values()) > 1000


def test_train_shows_its_epochs_on_standard_error_alone(pipeline) -> None:
    said = pipeline.said["train"]
    by_data, title, *compared, trained = said.stdout.splitlines()
    assert by_data.startswith("By the data: unknown_items 0.0 (no trends); ")
    assert "; refit True (validation holds " in by_data
    assert title == "Validation recall@50 beside popularity, sequential-rules, item-knn, item-knn by domain and ease:"
    verdicts = r"  (significantly ahead of all|no significant difference to the best|significantly BEHIND): .*"
    assert all(re.fullmatch(f"{verdicts}|There adi-se is no gain: .*", line) for line in compared)
    assert compared
    assert re.match(r"Trained adi-se \([\d,]+ parameters\); epoch 1 is kept, trained again on all rows: ", trained)
    above, head, line, again = said.stderr.splitlines()
    logged, refit = map(json.loads, (pipeline.folder / "run" / "log.jsonl").read_text().splitlines())
    assert again == "refit on training and validation rows, epochs: 1"
    assert (refit["epoch"], refit["refit"], "validation" in refit) == (2, True, False)
    assert above.strip() == "validation, lists of 50: recall by domain"
    assert head.split() == ["epoch", "loss", "samples/s", "ndcg", "recall", *logged["validation"]["domains"]]
    epoch, loss, _, ndcg, *recalls, best = line.split()
    assert (epoch, best) == ("1", "best")
    assert float(loss) == pytest.approx(logged["loss"], abs=1e-4)
    expected = [logged["validation"]["mean"], *logged["validation"]["domains"].values()]
    assert float(ndcg) == pytest.approx(logged["validation"]["mean"]["ndcg@50"], abs=1e-4)
    assert [float(recall) for recall in recalls] == pytest.approx([one["recall@50"] for one in expected], abs=1e-4)
    assert max(len(line) for line in (above, head, line)) <= 80


def test_evaluate_prints_json_of_the_promised_form(pipeline) -> None:
    said = pipeline.said["evaluate"]
    metrics = parsed(said.stdout)
    assert said.stderr == ""
    stored = json.loads((pipeline.folder / "run" / "metrics.json").read_text())
    assert metrics | {"digest": stored["digest"]} == stored
    assert set(metrics["domains"]) == set(DOMAINS)
    for name in ("recall@5", "recall@20", "ndcg@5", "mrr@20"):
        values = [metrics["domains"][domain][name] for domain in DOMAINS]
        assert metrics["mean"][name] == pytest.approx(sum(values) / 3)
    assert all(0 < metrics["domains"][d]["recall@5"] < metrics["domains"][d]["recall@20"] < 1 for d in DOMAINS)


def test_the_table_of_evaluate_has_the_numbers_of_the_json(adi, pipeline) -> None:
    before = json.loads((pipeline.folder / "run" / "metrics.json").read_text())
    said = adi("evaluate", pipeline.folder / "run", "--k", "20,5")
    rows = [line.split() for line in said.stdout.splitlines() if line.strip()]
    assert rows[0][:3] == ["adi-se", "on", "test,"]
    assert rows[1] == ["domain", "queries", "corpus", "recall@5", "recall@20", "ndcg@5", "mrr@5"]
    for name, values in before["domains"].items():
        numbers = [f"{values[key]:.4f}" for key in rows[1][3:]]
        small = ["*"] if name == "feed" else []  # 70 queries
        assert [name, *small, str(values["queries"]), str(values["corpus"]), *numbers] in rows
    assert ["mean", *(f"{before['mean'][key]:.4f}" for key in rows[1][3:])] in rows
    assert ["over", "queries", *(f"{before['mean_over_queries'][key]:.4f}" for key in rows[1][3:])] in rows
    assert "* fewer than 100 test rows, or no more items than the shortest list: feed; in the mean.\n" in said.stdout


def test_small_domains_are_left_out_of_the_mean_of_evaluate(adi, pipeline, tmp_path: Path) -> None:
    run = shutil.copytree(pipeline.folder / "run", tmp_path / "run")
    options = ["evaluate", run, "--prepared", pipeline.folder / "prepared", "--k", "5", "--leave-out-small"]
    said = adi(*options).stdout
    assert "no more items than the shortest list: feed; left out of the mean.\n" in said
    metrics = parsed(adi(*options, "--json").stdout)
    assert (metrics["small"], metrics["left_out"]) == (["feed"], ["feed"])
    recalls = [metrics["domains"][domain]["recall@5"] for domain in ("search", "cart")]
    assert metrics["mean"]["recall@5"] == pytest.approx(sum(recalls) / 2)
    assert f"{metrics['mean']['recall@5']:.4f}" in said


def test_history_of_the_whole_user_is_another_protocol(adi, pipeline, tmp_path: Path, tiny) -> None:
    run = tmp_path / "knn"
    adi("train", pipeline.folder / "prepared", "--model", "item-knn", "--out", run)
    earlier, everything = (parsed(adi("evaluate", run, "--json", *more).stdout) for more in ((), ("--all-history",)))
    assert (earlier["history"], everything["history"]) == ("earlier", "all others")
    assert earlier["mean"] != everything["mean"]


def test_retrieve_answers_for_a_known_user(adi, pipeline) -> None:
    run = pipeline.folder / "run"
    dataset = Dataset(pipeline.folder / "prepared")
    users, items, _ = dataset.targets("train", dataset.rows("train"))
    user, seen = dataset.users.key(int(users[0])), {dataset.items.key(int(i)) for i in items[users == users[0]]}
    for domain in DOMAINS:
        found = parsed(adi("retrieve", run, "--domain", domain, "--user", user, "-k", 7, "--json").stdout)
        expected = Retriever(run).retrieve(domain, user=user, k=7)
        assert (found["domain"], found["user"], found["ignored"]) == (domain, user, [])
        assert [one["item"] for one in found["items"]] == [one.item for one in expected.items]
        assert [one["score"] for one in found["items"]] == pytest.approx([one.score for one in expected.items])
        assert len(found["items"]) == 7
        assert not seen & {one["item"] for one in found["items"]}


def test_retrieve_prints_ranks_items_and_scores(adi, pipeline) -> None:
    options = ["retrieve", pipeline.folder / "run", "--domain", "cart", "--user", "3", "-k", "4"]
    found = parsed(adi(*options, "--json").stdout)
    lines = [line.split() for line in adi(*options).stdout.splitlines() if line.strip()]
    assert lines[0] == ["cart,", "user", "3"]
    assert lines[-4:] == [[str(rank), one["item"], f"{one['score']:.4f}"] for rank, one in enumerate(found["items"], 1)]


def test_retrieve_answers_for_a_new_user_and_names_unknown_items(adi, pipeline) -> None:
    options = ["retrieve", pipeline.folder / "run", "--domain", "feed"]
    found = parsed(adi(*options, "--history", "1,[b]no[/b],2,:pen:", "--context", "hour=9", "--json").stdout)
    assert (found["user"], found["ignored"], len(found["items"])) == (None, ["[b]no[/b]", ":pen:"], 10)
    assert not {"1", "2"} & {one["item"] for one in found["items"]}
    said = adi(*options, "--history", "1,[b]no[/b],2,:pen:")
    assert said.stdout.startswith("feed, a new user")
    assert said.stdout.endswith("Not in the data, ignored: [b]no[/b], :pen:\n")


def test_the_report_holds_the_run(adi, pipeline, tmp_path: Path) -> None:
    page = (pipeline.folder / "report.html").read_text()
    assert pipeline.said["report"].stdout == f"Wrote {pipeline.folder / 'report.html'}.\n"
    assert "adi-se" in page
    assert all(domain in page for domain in DOMAINS)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["evaluate", "RUN", "--k", "ten"], "--k: 'ten' is no list of whole numbers such as 10,50,100."),
        (["evaluate", "RUN", "--k", "0"], "--k: [0]; give one or more list lengths of at least 1"),
        (["evaluate", "RUN", "--against", "all"], "'all' is not one of"),
        (["evaluate", "RUN", "--against", "candidates"], "the split has no candidates"),
        (["evaluate", "PREPARED"], "not a run (no run.json)"),
        (["evaluate", "nowhere"], "nowhere: not a run (no run.json)"),
        (["retrieve", "RUN", "--domain", "serch", "--user", "3"], "'serch' is not one of"),
        (["retrieve", "RUN", "--domain", "feed", "--user", "nobody"], "user 'nobody' is not known"),
        (["retrieve", "RUN", "--domain", "feed"], "give the history of a new user"),
        (["retrieve", "RUN", "--domain", "feed", "--user", "3", "-k", "0"], "k = 0: ask for at least one item."),
        (["retrieve", "RUN", "--domain", "feed", "--user", "3", "-k", "x"], "Invalid value for '-k'"),
        (["retrieve", "RUN", "--domain", "feed", "--user", "3", "--context", "hour"], "--context: 'hour' is not of"),
        (["retrieve", "RUN", "--domain", "feed", "--user", "3", "--context", "hours=1"], "Did you mean 'hour'?"),
        (["train", "PREPARED", "--model", "adi-sf", "--out", "new"], "'adi-sf' is not a model. Did you mean 'adi-se'?"),
        (["train", "PREPARED", "--model", "adi-se"], "--out is missing"),
        (
            ["train", "PREPARED", "--model", "adi-se", "--out", "RUN"],
            "exists and is not empty. Choose another; an unfinished run goes on with --resume",
        ),
        (["train", "PREPARED", "--model", "adi-se", "--out", "new", "--seed", "-1"], "--seed: -1; give a whole number"),
        (["train", "PREPARED", "--model", "adi-se", "--out", "new", "--resume"], "new: not a run"),
        (["train", "RUN", "--model", "adi-se", "--out", "new"], "not a prepared dataset (no manifest.json)"),
        (["prepare", "TABLES", "--out", "PREPARED"], "exists and is not empty. Remove it"),
        (["prepare", "nowhere", "--out", "new"], "nowhere: no such file"),
        (["prepare", "TABLES", "--out", "new", "--memory", "lots"], "--memory: 'lots' is no size"),
        (["simulate", "TABLES"], "exists and is not empty. Remove it"),
        (["simulate", "new", "--users", "0"], "--users: 0; give a whole number from 2"),
        (["dataset", "globo", "--source", "TABLES", "--out", "new"], "Did you mean 'globo-news'?"),
        (["dataset", "globo-news", "--source", "nowhere", "--out", "new"], "nowhere: no such folder"),
        (["init", "TABLES/users.parquet", "--out", "SCHEMA"], "exists already. Remove it"),
        (["init", "nothing.parquet", "--out", "new"], "'nothing.parquet': no file matches"),
        (["report", "PREPARED"], "run.json"),
        (["report", "RUN", "--out", "TABLES"], "is a folder. Name the report's file"),
        (["reprot", "RUN"], "No such command 'reprot'"),
    ],
)
def test_a_users_fault_ends_in_one_message(
    adi, pipeline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    places = {"RUN": "run", "PREPARED": "prepared", "TABLES": "tables", "SCHEMA": "s.yaml"}
    for name, place in places.items():
        words = [word.replace(name, str(pipeline.folder / place)) for word in words]
    before = sorted(pipeline.folder.rglob("*"))
    done = adi(*words)
    said = " ".join(done.stderr.replace("│", " ").split())
    assert (done.returncode, done.stdout) == (2, "")
    assert message in said
    assert said.startswith(("adi: ", "Usage: "))
    assert list(tmp_path.iterdir()) == []
    assert sorted(pipeline.folder.rglob("*")) == before
