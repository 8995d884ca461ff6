"""Profiles of tables, and their words in comments."""

from itertools import combinations, product

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from adi.engines.tables import TableFiles
from adi.guessing import profiles
from adi.guessing.profiles import percent, plain, read_profile, shares
from adi.guessing.roles import words_of


def test_words_of_a_name():
    assert words_of("click_deviceGroup") == ["click", "device", "group"]
    assert words_of("USER_ID") == words_of("userID") == words_of("User-Id") == ["user", "id"]
    assert words_of("HTTPReferrer2") == ["http", "referrer", "2"]


class TestComments:
    def test_plain(self):
        assert plain(" a\n b\u2028\x07 ") == "a b ?"
        assert plain("x" * 31) == "x" * 27 + "..."

    def test_shares(self):
        assert [percent(part, 1000) for part in (0, 1, 10, 615, 1000)] == ["0 %", "<1 %", "1 %", "62 %", "100 %"]
        assert shares({"a": 6, "b": 3, "c": 1}, most=2) == "a 60 %, b 30 % and 1 more"

    def test_a_sample_is_spread_over_the_table(self, tmp_path, monkeypatch):
        monkeypatch.setattr(profiles, "SAMPLE_ROWS", 1000)
        path = tmp_path / "log.parquet"
        pq.write_table(pa.table({"x": list(range(20_000))}), path)
        with duckdb.connect() as connection:
            profile = read_profile(connection, TableFiles([path]), path="log.parquet", sample="s")
        assert profile.rows == 20_000
        assert 800 < profile.columns["x"].rows < 1200
        assert int(profile.columns["x"].low) < 200
        assert int(profile.columns["x"].high) > 19_800


GENRES = [" ".join(words) for size in (1, 2, 3) for words in combinations(("Action", "Comedy", "Drama", "War"), size)]
GENRES += [f"{text} Sci-Fi" for text in GENRES]
NAMES = [" ".join(pair) for pair in product(("Ann", "Bob", "Eve", "Fred"), ("Hill", "King", "Moore", "Smith", "Young"))]
CITIES = ["New York", "New Orleans", "San Jose", *(f"Port {name}" for name in "ABCDEFGHIJKLMNOPQRS")]


TITLES = [f"{noun}, {article}" for noun in ("Story", "Net", "Birds", "Matrix", "Sting") for article in ("The", "A")]


@pytest.mark.parametrize(
    ("texts", "separator"),
    [
        ([text.replace(" ", ",") for text in GENRES], ","),
        ([text.replace(" ", ", ").replace("War", "Science fiction 2") for text in GENRES], ", "),
        ([*(text.replace(" ", ",") for text in GENRES), "Musical"], ","),
        ([f"{a},{b}" for a, b in product(range(9), range(9))], None),  # fractions
        ([text.replace(" ", ", ") for text in NAMES], None),  # each part in one place
        ([text.replace(" ", ", ") for text in CITIES], None),
        ([f"{title} {n}" for title in TITLES for n in range(9)], None),
        ([f"{n},{m:03}" for n, m in product(range(1, 9), range(0, 999, 99))], None),  # thousands
        ([f"A {n} for you, me and {m}" for n, m in product(range(9), range(9))], None),  # sentences
        (GENRES, " "),
        ([text.replace("War", "Children's") for text in GENRES], " "),
        ([*GENRES, *["Action", "Comedy", "Drama", "War"] * 15], " "),  # a quarter of the texts have several
        ([*GENRES, *["Action", "Comedy", "Drama", "War"] * 25], None),  # fewer have
        (GENRES[:10], None),  # few texts
        ([text.replace("Action", "18+") for text in GENRES], None),  # no words
        ([*GENRES, "Musical"], None),  # a word that comes once
        (NAMES, None),  # each word in one place
        (CITIES, None),  # nearly as many words as texts
        ([f"{text} Drama Drama" for text in GENRES], None),  # the same word twice
    ],
)
def test_a_comma_or_blank_separates_words_that_come_again_and_again(tmp_path, texts: list[str], separator: str | None):
    path = tmp_path / "items.parquet"
    pq.write_table(pa.table({"genres": texts}), path)
    with duckdb.connect() as connection:
        profile = read_profile(connection, TableFiles([path]), path="items.parquet", sample="s")
    assert profile.columns["genres"].separator == separator
