"""Audiences in the schema and in the manifest: their half-lives in the unit of the log, and what is refused."""

import datetime as dt
import json

import pyarrow as pa
import pytest

from adi.data.dataset import Dataset
from adi.data.manifest import TrendInfo, TrendSizes, read_manifest
from adi.errors import AdiError
from adi.preparation.prepare import prepare
from adi.preparation.trends import trend_info
from adi.schema import Trend
from trending import clicks, trending_schema

MINUTE = 60_000_000


def trend(**audience):
    return Trend.model_validate({"half_lives": ["2h", "30m"], "delay": "1m", **audience})


def test_half_lives_are_in_the_unit_of_the_log_and_ascend():
    info = trend_info(trend(audience={"half_lives": ["2h", "10m"]}), "timestamp")
    assert info.audience == (10 * MINUTE, 120 * MINUTE)
    assert info.half_lives == (30 * MINUTE, 120 * MINUTE)
    assert info.sizes == TrendSizes(counts=2, co_clicks=0, audience=2)
    assert trend_info(trend(), "timestamp").sizes == TrendSizes(counts=2)


def test_the_longest_count_may_be_as_long(tmp_path):
    """An item without trends has no audience: what is longer than every count would be cut off."""
    assert trend_info(trend(audience={"half_lives": ["120m"]}), "timestamp").audience == (120 * MINUTE,)
    with pytest.raises(
        AdiError, match=r"schema: trend\.audience\.half_lives: longer than the longest of trend\.half_lives\. .*shorter"
    ):
        trend_info(trend(audience={"half_lives": ["10m", "121m"]}), "timestamp")


@pytest.mark.parametrize(
    ("audience", "message"),
    [
        ({"half_lives": [1800, 3601]}, r"trend\.audience\.half_lives: longer than the longest of trend\.half_lives"),
        ({"half_lives": ["30m"]}, r"trend\.audience\.half_lives: '30m' does not fit this log, whose time is a number"),
        ({}, r"trend\.audience\.half_lives: is missing"),
        ({"half_lives": []}, r"trend\.audience\.half_lives: should not be empty"),
        ({"half_lives": [5, 5]}, r"trend\.audience\.half_lives: .*half-lives are distinct"),
        ({"half_lives": [0]}, r"trend\.audience\.half_lives.*a duration is above 0 and finite, and this is 0"),
        ({"half_lives": [1, 2, 3, 4, 5, 6, 7, 8, 9]}, r"trend\.audience\.half_lives: should not be longer than 8"),
        ({"half_lives": [1800], "last": 4}, r"trend\.audience\.last"),
        (1800, r"trend\.audience"),
    ],
)
def test_audiences_that_cannot_be(tmp_path, audience, message):
    schema = trending_schema(audience=audience)
    with pytest.raises(AdiError, match=message):
        prepare(schema, tmp_path / "prepared", tables={"interactions": clicks()}, progress=False)
    assert not (tmp_path / "prepared").exists()


def test_timestamps_need_a_unit(tmp_path):
    times = [dt.datetime(2026, 1, 1, 0, minute) for minute in range(20)]
    rows = [{"user": f"u{n % 4}", "item": f"i{n % 3}", "domain": "big", "time": time} for n, time in enumerate(times)]
    schema = trending_schema(half_lives=["1h"], delay="1s", co_clicks=None, audience={"half_lives": [1800]})
    schema |= {"domains": {"column": "domain"}, "split": {"kind": "last"}}
    with pytest.raises(AdiError, match=r"trend\.audience\.half_lives: 1800 has no unit\. Give .* such as 1800h"):
        prepare(schema, tmp_path / "prepared", tables={"interactions": pa.Table.from_pylist(rows)}, progress=False)


def test_a_log_without_time_has_no_audiences(tmp_path):
    schema = trending_schema(audience={"half_lives": [1800]}) | {"split": {"kind": "last"}}
    del schema["interactions"]["time"]
    with pytest.raises(AdiError, match=r"trend: counters need interactions\.time"):
        prepare(schema, tmp_path / "prepared", tables={"interactions": clicks()}, progress=False)


def test_the_manifest_has_them(trending, trending_audience):
    """They are all that differs: what is written of clicks does not depend on them."""
    assert trending.manifest.trend.audience == ()
    assert trending_audience.manifest.trend.audience == (1800,)
    assert trending.manifest.trend.sizes == TrendSizes(counts=2, co_clicks=1)
    assert trending_audience.manifest.trend.sizes == TrendSizes(counts=2, co_clicks=1, audience=1)
    files = [
        sorted(path.relative_to(data.folder) for path in data.folder.rglob("*") if path.is_file())
        for data in (trending, trending_audience)
    ]
    assert files[0] == files[1]
    for file in files[0]:
        if file.suffix == ".npy":
            assert (trending.folder / file).read_bytes() == (trending_audience.folder / file).read_bytes(), file


def test_a_manifest_that_is_older_than_audiences(trending, tmp_path):
    content = json.loads((trending.folder / "manifest.json").read_text())
    del content["trend"]["audience"], content["digest"]
    (tmp_path / "manifest.json").write_text(json.dumps(content))
    assert read_manifest(tmp_path) == trending.manifest
    assert TrendInfo(half_lives=(1.0,), delay=1.0).audience == ()
    assert Dataset(trending.folder).manifest.trend.audience == ()
