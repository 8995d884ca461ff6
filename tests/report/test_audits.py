"""The sections on feature weights and on self-training, and their heat maps."""

import json
import re

import pytest

from adi.errors import AdiError
from adi.report.charts import heat_map
from adi.report.elements import Figures
from adi.report.interest import interest
from adi.report.page import render
from adi.report.self_training import self_training
from adi.runs.by_feature import INTEREST, ByFeature, write_by_feature
from adi.runs.groups import group_runs
from adi.runs.run import read_runs

QUERIES = {"search": [(user, 0.0) for user in range(60)], "feed": [(user, 0.0) for user in range(60)]}


@pytest.fixture
def run(ranked_run):
    """A run with weights and an audit; its numbers grow with the seed."""

    def make(seed, pairs=None):
        folder = ranked_run(f"adi-{seed}", QUERIES, model="adi-se", seed=seed)
        weights = {"search": (1.0 + seed, 0.5), "feed": (1.0, None)}
        write_by_feature(folder / INTEREST, {"user": ByFeature(features=("age", "<b>"), values=weights)})
        if pairs is not None:
            audit = {"start_step": 1200, "steps": 2400, "pairs": pairs}
            audit |= {"seconds": {"scoring": 6.0, "training_extra": 4.0, "total": 60.0}}
            (folder / "self_training.json").write_text(json.dumps(audit))
        return folder

    return make


def pair(source, target, *, accepted=40, precision=0.2, base_rate=0.05, edges=(0.0, 0.5, 1.0)):
    histogram = {"edges": edges, "scored": (300, 100) if edges else (), "accepted": (10, 30) if edges else ()}
    counts = {"samples": 900, "eligible": 500, "known": 100, "scored": 400, "accepted": accepted, "checked": 20}
    rates = {"precision": precision, "base_rate": base_rate}
    return {"from": source, "to": target, **counts, **rates, "score_histogram": histogram}


def rows_of(html):
    return [
        re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", re.sub(r"<span[^>]*>|</span>", "", line))
        for line in re.findall(r"<tr>(.*?)</tr>", html)
    ]


def values_of(specification):
    return [value for values in specification["datasets"].values() for value in values]


def test_weights_are_means_over_seeds(run) -> None:
    figures = Figures()
    html = interest(group_runs(read_runs([run(0), run(1)])), figures)
    assert ["age", "1.5000 ± 0.7071", "1.0000 ± 0.0000"] in rows_of(html)
    assert ["&lt;b&gt;", "0.5000 ± 0.0000", "–"] in rows_of(html)
    (heat,) = figures.specifications.values()
    assert {(cell["y"], cell["x"]): cell["value"] for cell in values_of(heat)} == {
        ("age", "search"): 1.5,
        ("age", "feed"): 1.0,
        ("<b>", "search"): 0.5,
    }


def test_models_without_weights_or_self_training_have_no_such_section(ranked_run) -> None:
    groups = group_runs(read_runs([ranked_run("dnn", QUERIES)]))
    figures = Figures()
    assert interest(groups, figures) == self_training(groups, figures) == ""
    assert figures.specifications == {}


def test_the_audit_by_hand(run) -> None:
    pairs = [pair("search", "feed"), pair("feed", "search", precision=None, base_rate=0.0, edges=())]
    other = [pair("search", "feed", accepted=60, precision=0.4, base_rate=0.1), pair("feed", "search", edges=())]
    figures = Figures()
    html = self_training(group_runs(read_runs([run(0, pairs), run(1, other)])), figures)
    first, second = [row for row in rows_of(html) if " → " in row[0] and row[0] != "From → to"]
    # sums of counts; means of rates, and of these the quotient: 0.3 / 0.075
    assert first == ["search → feed", "1,000", "800", "100", "40", "0.3000 ± 0.1414", "0.0750 ± 0.0354", "4.0 ×"]
    assert second[:5] == ["feed → search", "1,000", "800", "80", "40"]
    assert second[5:] == ["0.2000", "0.0250 ± 0.0354", "8.0 ×"]
    assert "Started at step 1,200 of 2,400; counts are sums over 2 seeds, histograms are of seed 0;" in html
    assert "took 20 s of 120 s of training" in html
    matrix, histogram = figures.specifications.values()
    assert {(cell["y"], cell["x"]): cell["value"] for cell in values_of(matrix)} == {
        ("search", "feed"): 100,
        ("feed", "search"): 80,
    }
    shares = {(bar["pairs"], bar["low"]): bar["share"] for bar in values_of(histogram)}
    assert shares == {("scored", 0.0): 0.75, ("scored", 0.5): 0.25, ("accepted", 0.0): 0.25, ("accepted", 0.5): 0.75}


def test_of_many_domains_the_pairs_with_most_accepted_have_histograms(run) -> None:
    names = [f"d{number}" for number in range(5)]
    pairs = [
        pair(source, target, accepted=10 * index)
        for index, (source, target) in enumerate((a, b) for a in names for b in names if a != b)
    ]
    figures = Figures()
    html = self_training(group_runs(read_runs([run(0, pairs)])), figures)
    assert len(figures.specifications) == 1 + 12
    assert "histograms are of the 12 pairs of domains with the most accepted pairs;" in html
    assert [chart["title"] for chart in figures.specifications.values()][1] == "d4 → d3"
    assert sum(row[0].startswith("d") for row in rows_of(html)) == 20


def test_an_audit_that_cannot_be_read_is_named(run) -> None:
    folder = run(0, [{"from": "search"}])
    with pytest.raises(AdiError, match=r"self_training\.json: (?s:.*)train it again"):
        self_training(group_runs(read_runs([folder])), Figures())


def test_both_are_in_the_report(run) -> None:
    page = render(read_runs([run(0, [pair("search", "feed")])]))
    assert "<h2>Feature weights by domain</h2>" in page
    assert "<h2>Self-training</h2>" in page


def scale_of(rows, **options):
    chart = heat_map(rows, x="x", y="y", value="value", title="T", x_order=("a", "b"), y_order=("c",), **options)
    return chart["layer"][0]["encoding"]["color"]["scale"]["domain"]


def test_colours_of_a_heat_map() -> None:
    rows = [{"x": "a", "y": "c", "value": 1.0}, {"x": "b", "y": "c", "value": 3.0}]
    assert scale_of(rows) == [1.0, 3.0]
    assert scale_of(rows, around_zero=True) == [-3.0, 0, 3.0]
    alike = [{"x": "a", "y": "c", "value": 0.99}, {"x": "b", "y": "c", "value": 1.0}]
    assert scale_of(alike) == pytest.approx([0.895, 1.095])  # a fifth of the largest, around the middle
    assert scale_of([{"x": "a", "y": "c", "value": None}]) == pytest.approx([-0.1, 0.1])
