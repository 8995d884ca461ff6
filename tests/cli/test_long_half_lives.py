"""`adi prepare` says which half-lives of trends are longer than the log."""

import pytest

from adi.cli.show import long_half_lives
from adi.data.manifest import Manifest, read_manifest
from adi.preparation.prepare import prepare
from trending import HOUR, NUM_HOURS, clicks, trending_schema


def manifest_with(path, half_lives, co_half_lives=(1800,)) -> Manifest:
    schema = trending_schema()
    schema["trend"] |= {"half_lives": list(half_lives), "co_clicks": {"half_lives": list(co_half_lives)}}
    return prepare(schema, path, tables={"interactions": clicks()}, progress=False)


def test_half_lives_within_the_log_are_not_mentioned(tmp_path, prepared) -> None:
    assert long_half_lives(manifest_with(tmp_path / "prepared", [600, 3600])) is None
    assert long_half_lives(read_manifest(prepared)) is None  # a log without trends


def test_longer_ones_are_named_with_the_span(tmp_path) -> None:
    manifest = manifest_with(tmp_path / "prepared", [600, 99_999], [77_777])
    assert manifest.trend is not None
    assert manifest.trend.span == pytest.approx(NUM_HOURS * HOUR, rel=0.01)
    assert long_half_lives(manifest) == (
        f"Half-lives longer than the log, which spans {manifest.trend.span:g}: 77777, 99999. Such a count is nearly "
        "that of all clicks so far, and what a model learns from it may not hold once the log is longer."
    )
