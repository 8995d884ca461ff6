"""The report on tiny made-up runs: its numbers, its escaping, its independence of other hosts, its errors."""

import errno
import json
import os
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from adi.errors import AdiError
from adi.report.charts import COLOURS, breakdown_lines, looks, loss_curve, recall_bars, validation_curve
from adi.report.page import write_report
from adi.runs.groups import group_runs
from adi.runs.run import read_runs

Make = Callable[..., Path]

MEASURES = {
    "search": {"queries": 120, "corpus": 900, "recall@10": 0.2, "recall@50": 0.5, "ndcg@10": 0.11},
    "feed": {"queries": 35, "corpus": 410, "recall@10": 0.1, "recall@50": 0.25, "ndcg@10": None},
}
HISTORY = {
    "search": [{"group": "0", "queries": 20, "recall@50": 0.3}, {"group": "1+", "queries": 1100, "recall@50": 0.6}],
    "feed": [{"group": "0", "queries": 35, "recall@50": 0.25}],
}


@pytest.fixture
def make_run(tmp_path: Path) -> Make:
    def make(
        name: str,
        *,
        model: str = "adi-se",
        seed: int = 0,
        raised: float = 0.0,
        losses: tuple[float, ...] = (),
        config: dict[str, Any] | None = None,
        domains: tuple[str, ...] = ("search", "feed"),
        ks: tuple[int, ...] = (10, 50),
        queries: int = 120,
        over_queries: float | None = None,
        breakdown: dict[str, Any] | None = None,
    ) -> Path:
        measured = {domain: dict(MEASURES[known]) for domain, known in zip(domains, MEASURES, strict=True)}
        first, second = (measured[domain] for domain in domains)
        first["recall@50"] += raised
        first["queries"] = queries
        mean = {name: (first[name] + second[name]) / 2 for name in ("recall@10", "recall@50")} | {"ndcg@10": None}
        card = {
            "model": model,
            "seed": seed,
            "status": "complete",
            "created": "2026-01-02T03:04:05Z",
            "domains": domains,
        }
        card |= {"prepared": str(tmp_path / "prepared"), "fingerprint": "f00d", "parameters": 4321 if losses else None}
        card |= {"versions": {"torch": "2.13.0"}, "config": (config or {}) | {"seed": seed}}
        metrics = {"model": model, "part": "test", "against": "corpus", "history": "earlier", "ks": ks}
        metrics |= {"domains": measured, "mean": mean}
        metrics |= {"breakdown": {"history_length": dict(zip(domains, HISTORY.values(), strict=True))}}
        metrics["breakdown"] |= breakdown or {}
        if over_queries is not None:
            metrics |= {"mean_over_queries": {"recall@50": over_queries}}
        folder = tmp_path / name
        folder.mkdir()
        (folder / "run.json").write_text(json.dumps(card))
        (folder / "metrics.json").write_text(json.dumps(metrics))
        if losses:
            lines = [json.dumps(_epoch(number, loss, domains)) for number, loss in enumerate(losses, 1)]
            (folder / "log.jsonl").write_text("\n".join(lines) + "\n")
        return folder

    return make


def _epoch(number: int, loss: float, domains: tuple[str, ...]) -> dict[str, Any]:
    scores = {domain: {"recall@50": round(number / 10 + place / 100, 2)} for place, domain in enumerate(domains)}
    validation = {"domains": scores, "mean": {"recall@50": number / 10 + 0.005}}
    timing = {"step": 7 * number, "seconds": 1.5 * number, "samples": 700 * number, "samples_per_second": 466.7}
    return {"epoch": number, "loss": loss, "validation": validation, **timing}


class Elements(HTMLParser):
    """Every start tag with its attributes, the text of cells row by row, and whether the tags are balanced."""

    VOID = ("meta", "link", "img", "br")

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.rows: list[list[str]] = []
        self.open: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "td" in self.open or "th" in self.open:
            self.rows[-1][-1] += ("*" if "strong" in self.open else "") + data


def _page(tmp_path: Path, *runs: Path) -> str:
    write_report(runs, tmp_path / "report.html")
    return (tmp_path / "report.html").read_text(encoding="utf-8")


def test_table_shows_mean_and_spread_of_seeds_and_the_best_in_bold(tmp_path: Path, make_run: Make) -> None:
    popularity = make_run("popularity", model="popularity")
    seeds = [make_run(f"adi-{seed}", seed=seed, raised=0.1 * seed, losses=(3.0, 2.0)) for seed in (0, 1)]
    elements = Elements(_page(tmp_path, popularity, *seeds))
    assert elements.open == []
    # search: 0.5 and 0.6, so mean 0.55 and standard deviation 0.1 / sqrt(2); feed: 0.25 in all three, so a tie.
    # `*` marks text inside <strong>.
    assert elements.rows[:3] == [
        ["Model", "search", "feed", "Mean"],
        ["popularity", "0.5000", "*0.2500", "0.3750"],
        ["adi-se", "*0.5500 *± 0.0707", "*0.2500 *± 0.0000", "*0.4000 *± 0.0354"],
    ]


def test_the_first_sentences_say_what_was_found(tmp_path: Path, ranked_run: Callable[..., Path]) -> None:
    def queries(search: int, feed: int) -> dict[str, list[tuple[int, int]]]:
        """Of 200 users in search and 100 in feed, so many whose item is the first of the list."""
        return {"search": hits(200, search), "feed": hits(100, feed)}

    def hits(users: int, number: int) -> list[tuple[int, int]]:
        return [(user, 1 if user < number else 1000) for user in range(users)]

    popularity = ranked_run("popularity", queries(60, 50), model="popularity", parameters=None)
    adi = ranked_run("adi", queries(160, 40), model="adi-se")
    page = _page(tmp_path, popularity, adi)
    found = [re.sub("<[^>]*>", "", one) for one in re.findall(r"<li>(.*?)</li>", page[: page.index("<main>")])]
    assert found[0] == "Highest mean Recall@10: adi-se with 0.6000, then popularity with 0.4000."
    assert found[1] == "Another model has a higher one in 1 of 2 domains: feed (popularity 0.5000, adi-se 0.4000)."
    assert found[2].startswith("Against popularity: adi-se helps on average (+0.200, 95 % +")
    page = _page(tmp_path, popularity, ranked_run("better", queries(160, 60), model="dnn"))
    assert "No other model has a higher one in any of the 2 domains." in page


def test_the_mean_over_queries_is_a_column_where_a_run_has_it(tmp_path: Path, make_run: Make) -> None:
    older = make_run("older", model="popularity")
    newer = make_run("newer", losses=(3.0,), over_queries=0.31)
    rows = Elements(_page(tmp_path, older, newer)).rows
    assert rows[:3] == [
        ["Model", "search", "feed", "Mean", "Over queries"],
        ["popularity", "*0.5000", "*0.2500", "*0.3750", "–"],
        ["adi-se", "*0.5000", "*0.2500", "*0.3750", "*0.3100"],
    ]


def test_a_breakdown_with_all_queries_in_one_group_is_left_out(tmp_path: Path, make_run: Make) -> None:
    def titles(*again: str) -> list[str]:
        groups = [{"group": group, "queries": 35, "recall@50": 0.25} for group in ("0", *again)]
        breakdown = {"item_in_history": {"search": groups[:1], "feed": groups}}
        page = _page(tmp_path, make_run(f"run {again}", breakdown=breakdown))
        return re.findall(r"<h2>Recall@50 by ([^<]*)</h2>", page)

    assert titles() == ["domain", "history length"]
    assert titles("1+") == ["domain", "history length", "item in history"]


def test_page_holds_data_counts_settings_versions_and_a_dash_where_undefined(tmp_path: Path, make_run: Make) -> None:
    run = make_run("adi", losses=(3.0,), config={"optimizer": {"lr": 0.002}})
    rows = Elements(_page(tmp_path, run)).rows
    assert ["adi-se", "0", "4,321", "1", "467", "earlier", "2026-01-02T03:04:05Z", str(run)] in rows
    assert ["search", "–", "–", "–", "–", "120", "900"] in rows
    assert ["optimizer.lr", "0.002"] in rows
    assert ["torch", "2.13.0"] in rows
    assert ["adi-se", "0.1100", "–", "–"] in rows  # NDCG@10: undefined in feed, and so on average


def test_text_of_the_runs_is_escaped(tmp_path: Path, make_run: Make) -> None:
    evil = "<script>alert('x')</script>"
    page = _page(
        tmp_path,
        make_run("a", model=evil, domains=(evil, "feed & co"), losses=(3.0,), config={evil: evil}),
    )
    assert evil not in page
    assert "&lt;script&gt;alert(&#x27;x&#x27;)&lt;/script&gt;" in page
    assert "\\u003cscript>alert('x')\\u003c/script>" in page  # inside the charts' JSON
    assert "feed &amp; co" in page
    assert [tag for tag, _ in Elements(page).tags].count("script") == 3  # the theme, Vega, the page


def test_nothing_is_requested_from_another_host(tmp_path: Path, make_run: Make) -> None:
    page = _page(tmp_path, make_run("a", losses=(3.0, 2.5)))
    tags = Elements(page).tags
    assert [tag for tag, attributes in tags if {"src", "href", "srcset", "action", "data"} & attributes.keys()] == []
    assert {"link", "iframe", "object", "embed", "base"} & {tag for tag, _ in tags} == set()
    style = re.findall(r"<style>(.*?)</style>", page, flags=re.DOTALL)
    assert len(style) == 1
    assert "url(" not in style[0]
    assert "@import" not in style[0]
    policy = next(a["content"] for tag, a in tags if a.get("http-equiv") == "Content-Security-Policy")
    assert policy is not None
    assert policy.startswith("default-src 'none'")
    assert "http" not in policy


def test_a_metric_of_your_own_is_in_the_report(tmp_path: Path, make_run: Make) -> None:
    run = make_run("a")
    metrics = json.loads((run / "metrics.json").read_text())
    for value, measures in zip((0.4, 0.2, 0.3), (*metrics["domains"].values(), metrics["mean"]), strict=True):
        measures["first-row@10"] = value
    (run / "metrics.json").write_text(json.dumps(metrics))
    page = _page(tmp_path, run)
    assert "Other measures: Recall@10, NDCG@10, first-row@10<" in page
    assert ["adi-se", "0.4000", "0.2000", "0.3000"] in Elements(page).rows


def test_vega_is_in_the_page_once_and_every_chart_has_its_place(tmp_path: Path, make_run: Make) -> None:
    page = _page(tmp_path, make_run("a", losses=(3.0, 2.5)), make_run("b", model="popularity"))
    assert page.count("window.vegaEmbed=") == 1
    found = re.search(r"^const charts = (.*);$", page, flags=re.MULTILINE)
    assert found is not None
    places = [attributes["id"] for tag, attributes in Elements(page).tags if tag == "figure"]
    # bars and curves of two domains and the mean, loss, validation of the mean and two domains, breakdown of two
    assert len(places) == 3 + 3 + 1 + 3 + 2
    assert list(json.loads(found[1])) == places


def _values(specification: dict[str, Any]) -> list[dict[str, Any]]:
    (values,) = specification["datasets"].values()
    return values


def test_charts_have_the_numbers(make_run: Make) -> None:
    groups = group_runs(read_runs([make_run("a", losses=(3.0, float("nan"))), make_run("b", model="popularity")]))
    bars = recall_bars(groups, domain="feed", k=50, top=1.0)
    assert [row["recall"] for row in _values(bars)] == [0.25, 0.25]
    lines = validation_curve(groups, domain="feed", measure="recall@50")
    assert [(row["x"], row["value"]) for row in _values(lines)] == [(1, 0.11), (2, 0.21)]
    parts = breakdown_lines(groups[:1], by="history_length", domain="search", measure="recall@50")
    assert [(row["x"], row["value"]) for row in _values(parts)] == [("0|20", 0.3), ("1+|1,100", 0.6)]


@pytest.mark.parametrize(("epochs", "ticks"), [(1, [1]), (2, [1, 2]), (25, [1, 4, 7, 10, 13, 16, 19, 22, 25])])
def test_learning_curves_have_ticks_at_epochs_alone(make_run: Make, epochs: int, ticks: list[int]) -> None:
    curve = loss_curve(group_runs(read_runs([make_run("a", losses=(3.0,) * epochs)])))
    assert curve["encoding"]["x"]["axis"]["values"] == ticks


def test_curves_end_before_the_refit(make_run: Make) -> None:
    run = make_run("a", losses=(3.0, 2.0))
    with (run / "log.jsonl").open("a") as log:
        timing = {"step": 8, "seconds": 1.0, "samples": 770, "samples_per_second": 466.7}
        log.write(json.dumps({"epoch": 3, "loss": 3.1, "refit": True, **timing}) + "\n")
    groups = group_runs(read_runs([run]))
    assert [row["value"] for row in _values(loss_curve(groups))] == [3.0, 2.0]
    assert len(_values(validation_curve(groups, domain="feed", measure="recall@50"))) == 2


def test_colours_and_shapes_distinguish_35_models(make_run: Make) -> None:
    one = group_runs(read_runs([make_run("a")]))
    pairs = [(colour, shape) for _, colour, shape in looks(one * 35)]
    assert len(set(pairs)) == 35
    assert pairs[0][0] == pairs[len(COLOURS)][0]


def test_a_loss_that_diverged_is_a_gap_and_models_without_epochs_have_no_curve(tmp_path: Path, make_run: Make) -> None:
    diverged = make_run("a", losses=(3.0, float("nan")))
    losses = loss_curve(group_runs(read_runs([diverged])))
    assert [row["value"] for row in _values(losses)] == [3.0, None]
    assert "None of these models is trained by epochs." not in _page(tmp_path, diverged)
    assert "None of these models is trained by epochs." in _page(tmp_path, make_run("b", model="popularity"))


def test_warnings_of_a_training_are_below_its_curves(tmp_path: Path, make_run: Make) -> None:
    healthy, ill = make_run("a", losses=(3.0,)), make_run("b", model="dnn", seed=4, losses=(3.0, 2.0))
    log = (ill / "log.jsonl").read_text().splitlines()
    warning = {"kind": "empty domain", "epoch": 2, "domain": "feed", "message": "domain 'feed' has <no> rows."}
    log[1] = json.dumps(json.loads(log[1]) | {"warnings": [warning]})
    (ill / "log.jsonl").write_text("\n".join(log))
    assert "dnn, seed 4, epoch 2: domain &#x27;feed&#x27; has &lt;no&gt; rows." in _page(tmp_path, healthy, ill)
    assert "<h3>Warnings</h3>" not in _page(tmp_path, healthy)


def test_runs_that_do_not_compare_are_refused(tmp_path: Path, make_run: Make) -> None:
    with pytest.raises(AdiError, match=r"b: queries: search 121, feed 35, but in .*a: search 120, feed 35"):
        read_runs([make_run("a"), make_run("b", queries=121)])
    with pytest.raises(AdiError, match=r"the runs have no K of Recall@K in common \(.*c: 10; .*d: 50\)"):
        write_report([make_run("c", ks=(10,)), make_run("d", ks=(50,))], tmp_path / "report.html")
    assert not (tmp_path / "report.html").exists()


def test_an_output_that_cannot_be_written_is_refused_and_leaves_nothing(tmp_path: Path, make_run: Make) -> None:
    run = make_run("a")
    with pytest.raises(AdiError, match=r"out: .* is a folder\. Name the report's file, such as .*report\.html"):
        write_report([run], tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(AdiError, match=r"out: .*file/report\.html cannot be written"):
        write_report([run], tmp_path / "file" / "report.html")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "file"]


def test_a_disk_that_fills_leaves_the_report_that_was_there(
    tmp_path: Path, make_run: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    run = make_run("a")
    (tmp_path / "report.html").write_text("the last one")
    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(AdiError, match=r"report\.html cannot be written \(No space left on device\)"):
        write_report([run], tmp_path / "report.html")
    assert (tmp_path / "report.html").read_text() == "the last one"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "report.html"]
