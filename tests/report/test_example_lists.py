"""Examples in a report: the same queries each time, the lists of the evaluation, items as people know them."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from adi.data.dataset import Dataset
from adi.errors import ArgumentError
from adi.report.examples import drawn_rows
from adi.report.items import Item, items_of
from adi.report.page import write_report
from adi.runs.lists import read_lists
from adi.runs.ranks import read_ranks
from adi.runs.run import read_run


@pytest.fixture(scope="module")
def page(shown_runs: list[Path], tmp_path_factory: pytest.TempPathFactory) -> str:
    return written(shown_runs, tmp_path_factory.mktemp("page"), examples=3)


def written(runs: list[Path], folder: Path, **options: int) -> str:
    write_report(runs, folder / "report.html", **options)
    return (folder / "report.html").read_text(encoding="utf-8")


def test_rows_are_of_all_models_and_the_same_each_time() -> None:
    sampled = [np.array([1, 3, 5, 7, 9]), np.array([3, 4, 5, 7, 9])]
    drawn = drawn_rows(sampled, 2).tolist()
    assert drawn == drawn_rows(sampled, 2).tolist() == sorted(drawn)
    assert set(drawn) < {3, 5, 7, 9}
    assert drawn_rows(sampled, 9).tolist() == [3, 5, 7, 9]


def test_lists_are_those_of_the_evaluation_and_hits_are_marked(page: str, shown_runs: list[Path]) -> None:
    runs = [read_run(folder) for folder in shown_runs]
    dataset = Dataset(runs[0].prepared)
    examples = re.findall(r'<article class="example">(.*?)</article>', page, flags=re.DOTALL)
    lists = [read_lists(run) for run in runs]
    rows = [(domain, row) for domain in runs[0].domains for row in drawn_rows([one[domain].rows for one in lists], 3)]
    assert len(examples) == len(rows) > 5
    hits = 0
    for (domain, row), example in zip(rows, examples, strict=True):
        users, targets, _ = dataset.targets("test", np.array([row]))
        assert f"<h4>User {dataset.users.key(int(users[0]))}</h4>" in example
        sections = re.findall(r"<section><h5>(.*?)</h5><ol>(.*?)</ol>(.*?)</section>", example, flags=re.DOTALL)
        assert [label for label, _, _ in sections] == ["popularity", "item-knn"]
        for run, own, (_, listed, below) in zip(runs, lists, sections, strict=True):
            expected = [int(item) for item in own[domain].of(np.array([row]))[0] if item >= 0]
            shown = re.findall(r'<span class="rank">(\d+)</span>', listed)
            assert shown == [str(place + 1) for place in range(len(expected))]
            ranks = read_ranks(run)[domain]
            rank = ranks.ranks[ranks.rows == row][0]
            is_hit = rank < len(expected)
            hits += is_hit
            assert [('class="shown hit"' in part) for part in listed.split("</li>")[:-1]] == [
                item == targets[0] for item in expected
            ]
            assert ("Held out item: " in below) == (not is_hit)
    assert hits


def test_an_item_has_its_title_and_picture_and_else_its_id(page: str, displayed: Path) -> None:
    dataset = Dataset(displayed)
    numbers = [dataset.items.find(key) for key in ("mug", "pen", "jar")]
    items = items_of(dataset, 0, [number for number in numbers if number is not None])
    assert [items[number] for number in numbers if number is not None] == [
        Item("mug", "Mug", "javascript:alert(1)"),
        Item("pen", "A <b>pen</b> & ink", "https://images.example/pen.png?size=1&x=2"),
        Item("jar"),
    ]
    assert '<span class="name">jar</span>' in Item("jar").shown()
    assert "<img" not in Item("mug", "Mug", "javascript:alert(1)").shown()
    assert '<span class="name">A &lt;b&gt;pen&lt;/b&gt; &amp; ink<small>pen</small></span>' in page
    assert 'src="https://images.example/pen.png?size=1&amp;x=2"' in page
    assert "<b>pen" not in page
    assert "alert(1)" not in page


def test_pictures_may_come_from_their_hosts_alone(page: str, shown_runs: list[Path], tmp_path: Path) -> None:
    (policy,) = re.findall(r'Content-Security-Policy" content="(.*?)"', page)
    assert policy.endswith("img-src data: blob: http://cap.example https://images.example")
    assert "no network requests but for pictures of items (http://cap.example, https://images.example)" in page
    without = written(shown_runs, tmp_path, examples=0)
    assert "images.example" not in without
    assert "<h2>Examples</h2>" not in without


def test_data_that_has_moved_and_runs_without_lists_are_told(shown_runs: list[Path], tmp_path: Path) -> None:
    moved = [shutil.copytree(run, tmp_path / "moved" / run.name) for run in shown_runs]
    page = written(moved, tmp_path)
    assert re.search(r"<h2>Examples</h2><p class=\"note\">Not available: .*dataset: not a prepared dataset", page)
    older = [shutil.copytree(run, shown_runs[0].parent / f"older-{run.name}") for run in shown_runs]
    for run in older:
        metrics = json.loads((run / "metrics.json").read_text())
        del metrics["lists"], metrics["digest"]
        (run / "metrics.json").write_text(json.dumps(metrics))
    page = written(older, tmp_path)
    assert re.search(r"<h2>Examples</h2><p class=\"note\">Not available: .*written by an adi that kept no lists", page)
    assert '<h2>What the lists hold</h2><p class="note">Not available: these runs were evaluated by an older' in page
    assert "Overlap is not available: " in page
    both = written([older[0], shown_runs[1]], tmp_path)
    assert '<th scope="row">popularity</th><td>–</td><td>–</td><td>–</td>' in both


def test_a_number_of_examples_below_zero_is_refused(shown_runs: list[Path], tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="examples: -1; give a number"):
        write_report(shown_runs, tmp_path / "report.html", examples=-1)
