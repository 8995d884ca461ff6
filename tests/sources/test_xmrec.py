"""The cup's folders become one log, a test and its candidates."""

import json
from collections.abc import Callable
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest

from adi.errors import AdiError
from adi.schema import FilesSplit, load_schema
from adi.sources.xmrec import xmrec_wsdm22

HEADER = "userId\titemId\trating"


def _write(folder: Path, *, train: list[str], test: list[str], candidates: list[str]) -> None:
    folder.mkdir(parents=True)
    (folder / "train_5core.tsv").write_text("\n".join([HEADER, *train, ""]))
    (folder / "valid_qrel.tsv").write_text("\n".join([HEADER, *test, ""]))
    (folder / "valid_run.tsv").write_text("\n".join([*candidates, ""]))


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Two domains, in an order that sorting changes; item P1 is in both, and a1 rates P2 twice."""
    source = tmp_path / "published"
    _write(
        source / "t2",
        train=["b1\tP1\t1.0"],
        test=["b1\tP9\t1"],
        candidates=["b1\tP9,P1"],
    )
    _write(
        source / "s1",
        train=["a2\tP1\t1.0", "a1\tP2\t2.0", "a1\tP1\t1.0", "a1\tP2\t3.0"],
        test=["a2\tP2\t1", "a1\tP3\t1", "a1\tP4\t0"],
        candidates=["a2\tP3,P2,P1", "a1\tP4,P3"],
    )
    (source / "notes").mkdir()
    return source


def _rows(path: Path) -> list[tuple[object, ...]]:
    return [tuple(row.values()) for row in pq.read_table(path).to_pylist()]


def test_tables_and_counts(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "tables"
    xmrec_wsdm22(source, out)
    assert pq.read_schema(out / "interactions.parquet").names == ["user_id", "item_id", "domain", "rating"]
    assert _rows(out / "interactions.parquet") == [
        ("a1", "P1", "s1", 1.0),
        ("a1", "P2", "s1", 3.0),
        ("a2", "P1", "s1", 1.0),
        ("b1", "P1", "t2", 1.0),
    ]
    assert _rows(out / "test.parquet") == [("a1", "P3", "s1", 1.0), ("a2", "P2", "s1", 1.0), ("b1", "P9", "t2", 1.0)]
    assert pq.read_schema(out / "candidates.parquet").names == ["user_id", "domain", "item_id"]
    assert _rows(out / "candidates.parquet") == [
        ("a1", "s1", "P4"),
        ("a1", "s1", "P3"),
        ("a2", "s1", "P3"),
        ("a2", "s1", "P2"),
        ("a2", "s1", "P1"),
        ("b1", "t2", "P9"),
        ("b1", "t2", "P1"),
    ]
    rows = json.loads((out / "conversion.json").read_text())["rows"]
    assert rows == {"read": 5, "kept": 4, "set_aside": {"repeated user, item and domain": 1}}


def test_schema_names_the_domains_and_the_files(source: Path, tmp_path: Path) -> None:
    xmrec_wsdm22(source, tmp_path / "tables")
    schema = load_schema(tmp_path / "tables")
    assert schema.domains.values == ("s1", "t2")
    assert schema.interactions.time is None
    assert schema.split == FilesSplit(kind="files", test="test.parquet", candidates="candidates.parquet")


@pytest.mark.parametrize("name", ["valid_qrel.tsv", "valid_run.tsv"])
def test_missing_file_is_named(source: Path, tmp_path: Path, name: str) -> None:
    (source / "t2" / name).unlink()
    with pytest.raises(AdiError, match=rf"t2: has no file '{name}'\. Expected is the cup's layout"):
        xmrec_wsdm22(source, tmp_path / "tables")
    assert not (tmp_path / "tables").exists()


def test_folder_without_domains_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AdiError, match=r"no file matches '\*/train_5core\.tsv'\. Expected is the cup's layout"):
        xmrec_wsdm22(tmp_path, tmp_path / "tables")


def test_missing_column_is_named(source: Path, tmp_path: Path) -> None:
    (source / "s1" / "train_5core.tsv").write_text("userId\titem\trating\na1\tP1\t1.0\n")
    with pytest.raises(AdiError, match=r"s1/train_5core\.tsv: no column 'itemId'.*Did you mean 'item'\?"):
        xmrec_wsdm22(source, tmp_path / "tables")


def test_rating_that_is_no_number_names_file_and_value(source: Path, tmp_path: Path) -> None:
    (source / "s1" / "train_5core.tsv").write_text(f"{HEADER}\na1\tP1\tgood\n")
    with pytest.raises(AdiError, match=r"s1/train_5core\.tsv: cannot be read: .*'good'"):
        xmrec_wsdm22(source, tmp_path / "tables")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["published"]


def test_candidates_without_a_tab_are_refused(source: Path, tmp_path: Path) -> None:
    (source / "s1" / "valid_run.tsv").write_text("a1 P1,P2\na2 P1,P3\n")
    with pytest.raises(AdiError, match=r"s1/valid_run\.tsv: cannot be read"):
        xmrec_wsdm22(source, tmp_path / "tables")


def test_published_data(published: Callable[[str], Path], tmp_path: Path) -> None:
    out = tmp_path / "tables"
    xmrec_wsdm22(published("xmrec-wsdm22"), out)
    rows = json.loads((out / "conversion.json").read_text())["rows"]
    assert rows["read"] == 77_173 + 48_302 + 23_367
    with duckdb.connect() as connection:
        for name in ("interactions", "test", "candidates"):
            connection.read_parquet(str(out / f"{name}.parquet")).create_view(name)
        by_domain = "SELECT domain, count(*), count(DISTINCT user_id) FROM {} GROUP BY 1 ORDER BY 1"
        assert connection.sql(by_domain.format("interactions")).fetchall() == [
            ("s1", 76_965, 6_466),
            ("s2", 48_165, 7_109),
            ("s3", 23_236, 3_328),
        ]
        assert connection.sql(by_domain.format("test")).fetchall() == [
            ("s1", 6_466, 6_466),
            ("s2", 7_109, 7_109),
            ("s3", 3_328, 3_328),
        ]
        assert connection.sql(by_domain.format("candidates")).fetchall() == [
            ("s1", 646_600, 6_466),
            ("s2", 710_900, 7_109),
            ("s3", 332_800, 3_328),
        ]
        assert connection.sql("FROM test ANTI JOIN candidates USING (user_id, domain, item_id)").fetchall() == []
