"""The portfolio: logs without their tests, data sets that are missing or of another definition, and choices by hand."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import duckdb
import pytest

from adi.data.dataset import Dataset
from adi.errors import AdiError
from adi.grid.folder import GridFolder
from adi.marketplace.settings import Marketplace
from benchmarks.portfolio import datasets
from benchmarks.portfolio.datasets import DATASETS, MARKETPLACE, PortfolioDataset, prepared_datasets
from benchmarks.portfolio.inner import LOG, leave_out_test
from benchmarks.portfolio.portfolio import present
from benchmarks.portfolio.results import page
from benchmarks.portfolio.rows import ROWS, left_out, rows_for
from benchmarks.portfolio.rules import CANDIDATES, chosen
from benchmarks.portfolio.rules import page as rules_page

PAGE = Path(__file__).parents[2] / "docs" / "portfolio.md"

TINY = PortfolioDataset(MARKETPLACE, "a test's", Marketplace(users=100, items=300, interactions=900))
ROWS_OF_LOG = [("ann", "a", 1), ("ann", "a", 2), ("ann", "b", 3), ("bo", "a", 4), ("cy", "a", 5), ("cy", "a", 6)]


@pytest.mark.parametrize(
    ("split", "kept"),
    [
        ({"kind": "last"}, [1, 4, 5]),  # ann's last in a and in b are tests; bo has a single row, which is none
        ({"kind": "time", "at": "1970-01-01 00:00:05"}, [1, 2, 3, 4]),
        ({"kind": "files", "test": "test.parquet"}, [1, 2, 3, 4, 5, 6]),
    ],
)
def test_the_inner_log_lacks_the_rows_of_the_test(tmp_path: Path, split: dict[str, object], kept: list[int]) -> None:
    values = ", ".join(
        f"('{user}', '{domain}', make_timestamp({time} * 1000000))" for user, domain, time in ROWS_OF_LOG
    )
    duckdb.execute(f"COPY (FROM (VALUES {values}) AS log(u, d, t)) TO '{tmp_path / 'log.parquet'}'")
    schema = {
        "domains": {"column": "d"},
        "interactions": {"path": "log.parquet", "user": "u", "item": "i", "time": "t"},
        "split": split,
    }
    leave_out_test(tmp_path, schema)
    rows = duckdb.execute(f"SELECT epoch(t)::INTEGER FROM '{tmp_path / LOG}' ORDER BY t").fetchall()
    assert [time for (time,) in rows] == kept
    assert schema["interactions"]["path"] == LOG  # type: ignore[index]
    assert schema["split"] == split or split["kind"] != "last"


def test_the_inner_test_is_none_of_the_test(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(DATASETS, "tiny", TINY)
    clicks = {}
    for inner in (False, True):
        folder = GridFolder(tmp_path / str(inner))
        prepared_datasets(folder, ["tiny"], None, inner=inner, redo=False)
        dataset = Dataset(folder.prepared("tiny"))
        for part in ("test", "train", "validation"):
            users, items, _ = dataset.targets(part, dataset.rows(part))
            pairs = zip(users.tolist(), items.tolist(), strict=True)
            clicks[inner, part] = {(dataset.users.key(user), dataset.items.key(item)) for user, item in pairs}
    inner_clicks = clicks[True, "test"] | clicks[True, "train"] | clicks[True, "validation"]
    assert clicks[True, "test"]
    assert inner_clicks <= clicks[False, "train"] | clicks[False, "validation"]
    assert not inner_clicks & clicks[False, "test"]


def test_data_of_another_definition_is_refused_and_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = GridFolder(tmp_path)
    monkeypatch.setitem(DATASETS, "tiny", TINY)
    before = prepared_datasets(folder, ["tiny"], None, redo=False).manifests["tiny"]
    assert prepared_datasets(folder, ["tiny"], None, redo=False).manifests["tiny"].created == before.created
    monkeypatch.setitem(DATASETS, "tiny", replace(TINY, about="other words"))
    prepared_datasets(folder, ["tiny"], None, redo=False)
    monkeypatch.setitem(DATASETS, "tiny", replace(TINY, changes=(datasets.ids_only,)))
    with pytest.raises(AdiError, match="made by another schema"):
        prepared_datasets(folder, ["tiny"], None, redo=False)
    after = prepared_datasets(folder, ["tiny"], None, redo=True).manifests["tiny"]
    assert (len(before.features), len(after.features)) == (16, 3)


def test_what_is_not_there_or_too_large_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "globo-news").mkdir()
    there, missing = present(("market-tiny", "xmrec", "globo-last"), tmp_path)
    assert (there, missing) == (["market-tiny", "globo-last"], ["xmrec"])
    assert "no folder of their source: xmrec" in capsys.readouterr().err
    assert left_out(20_000) == []
    (ease,) = left_out(20_001)
    assert ease in ROWS
    text = page({}, {}, missing, {"journey": [ease]}, {"journey/dnn-0": "no memory"})
    assert "Left out, since their files are not there: xmrec." in text
    assert "Left out of journey: ease, a weight for each pair of items." in text
    assert "Failed: journey/dnn-0: no memory" in text


def test_both_tables_of_the_page_have_each_data_set_that_was_measured() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert [name for name in DATASETS if text.count(f"\n| {name} | ") < 2] == ["globo-live"]


@pytest.mark.parametrize(
    ("repeats", "time", "trend"),
    [(True, "number", None), (False, "number", None), (True, None, None), (False, "number", "trends")],
)
def test_rows_are_there_where_the_data_has_what_they_need(repeats: bool, time: str | None, trend: str | None) -> None:
    manifest = SimpleNamespace(items=100, repeats=repeats, time=time, trend=trend)
    left = {"personal-popularity", "personal-popularity-domain"} if not repeats else set()
    left |= {"sequential-rules", "sequential-rules-domain"} if time is None else set()
    left |= {"popularity-30m", "co-clicks"} if trend is None else set()
    assert [row.name for row in rows_for(manifest)] == [row.name for row in ROWS if row.name not in left]


def test_a_candidate_is_chosen_from_the_other_sources() -> None:
    """By its mean over sources, of which each counts once: four data sets of one source are no more than one."""
    leads = {name: dict.fromkeys(CANDIDATES, 0.0) for name in ("xmrec", "xmrec-10", "market-ids", "globo-10")}
    leads["xmrec"]["cosine"] = leads["xmrec-10"]["cosine"] = 0.02
    leads["market-ids"]["no-neighbours"] = 0.05
    assert chosen(leads) == "no-neighbours"
    lines = rules_page(leads, [], {}).splitlines()
    assert "| xmrec-wsdm22 | no-neighbours | +0.0000 | +0.0200 |" in lines
    assert "| marketplace | cosine | +0.0000 | +0.0500 |" in lines
