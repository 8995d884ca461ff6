"""Profiles of tables, and their words in comments."""

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

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
