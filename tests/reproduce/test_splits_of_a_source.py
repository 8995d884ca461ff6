"""Data sets of one source: the same rows with different splits."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from adi.data.manifest import Manifest, read_manifest
from adi.grid.provenance import read_provenance
from adi.reproduce import datasets
from adi.reproduce.datasets import make_dataset, provenance_of
from adi.schema import load_schema

NAMES = ("globo-news", "globo-news-random")
USERS, ITEMS, TURNS = 60, 16, 12
MIDNIGHT, HOUR = 1_506_902_400_000, 3_600_000  # before 2 October 2017, and an hour, in milliseconds


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Clicks of Globo's form: every user on 12 of 16 items, an hour apart, three in each of the four domains."""
    clicks = [
        (user, 100 + (user + turn) % ITEMS, MIDNIGHT + HOUR * (55 + turn) + user, (1, 2, 5, 7)[turn % 4])
        for user in range(USERS)
        for turn in range(TURNS)
    ]
    columns = ("user_id", "click_article_id", "click_timestamp", "click_referrer_type")
    folder = tmp_path_factory.mktemp("data") / "globo-news"
    folder.mkdir()
    table = pa.table(dict(zip(columns, zip(*clicks, strict=True), strict=True)))
    pq.write_table(table.append_column("click_os", [[user % 2 for user, *_ in clicks]]), folder / "clicks.parquet")
    return folder.parent


def made(name: str, data: Path, out: Path) -> Manifest:
    provenance = provenance_of(name, data, quick=False, code="c0de")
    make_dataset(name, data, out, provenance, quick=False, say=lambda _: None)
    assert read_provenance(out) == provenance == provenance_of(name, data, quick=False, code="c0de")
    return read_manifest(out / "prepared")


def test_a_split_of_the_data_set_replaces_that_of_the_source(data: Path, tmp_path: Path) -> None:
    last, random = (made(name, data, tmp_path / name) for name in NAMES)
    assert {domain: one.test for domain, one in last.by_domain.items()} == dict.fromkeys(
        ("r1", "r2", "r5", "r7"), USERS
    )
    tests = sum(one.test for one in random.by_domain.values())
    rows = [sum(one.train + one.validation + one.test for one in made.by_domain.values()) for made in (last, random)]
    assert rows == [TURNS * USERS, TURNS * USERS]
    assert 0.1 * rows[1] < tests < 0.2 * rows[1]
    splits = [load_schema(tmp_path / name / "prepared" / "schema.yaml").split for name in NAMES]
    assert [(split.kind, split.validation) for split in splits] == [("last", 0.1), ("random", 0.5)]
    # a tenth of the users have fewer than 1000 rows, so half of the users are drawn for the source's own split, too
    validations = [sum(one.validation for one in made.by_domain.values()) for made in (last, random)]
    assert validations[1] == validations[0] > 0


def test_a_split_by_time_is_at_the_given_hour(data: Path, tmp_path: Path) -> None:
    made("globo-news-time", data, tmp_path / "time")
    times = {part: np.load(tmp_path / f"time/prepared/{part}/time.npy") for part in ("interactions", "test")}
    assert len(times["test"]) == 4 * USERS  # those of hours 63 to 66, the third day's 15 to 18
    assert times["interactions"].max() < times["test"].min()


def test_a_live_data_set_counts_clicks(data: Path, tmp_path: Path) -> None:
    manifest = made("globo-news-live", data, tmp_path / "live")
    assert manifest.trend is not None
    assert manifest.trend.delay == 30_000_000  # microseconds
    assert {one.corpus for one in manifest.by_domain.values()} == {manifest.items}
    assert sum(one.test for one in manifest.by_domain.values()) == 4 * USERS


def test_another_split_is_another_provenance(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = provenance_of("globo-news-random", data, quick=False, code="c0de")
    other = datasets.GridDataset("globo-news", 4, "", changes={"split": {"kind": "random", "share": 0.2}})
    monkeypatch.setitem(datasets.DATASETS, "globo-news-random", other)
    assert provenance_of("globo-news-random", data, quick=False, code="c0de") != before
    assert provenance_of("globo-news", data, quick=False, code="c0de").changes is None
