"""Validation rows of a log with trends know the rows before them, and no test row."""

import pytest

from adi.data.dataset import Dataset
from adi.preparation.prepare import prepare
from adi.runs.baselines import read_baselines
from adi.training.train import train
from trending import HOUR, clicks, trending_schema

SMALL = {"embedding_dim": 4, "dim": 4, "networks": [4], "neighbours": 0, "epochs": 1, "refit": False}


@pytest.fixture
def reads(monkeypatch):
    """Whether clicks, and then timelines, that were read have the rows of the test."""
    with_test, timelines = [], []
    clicks_of, histories_before = Dataset.clicks, Dataset._histories_before

    def noted_clicks(self, known):
        with_test.append(clicks_of(self, known).has_test)
        return clicks_of(self, known)

    def noted_histories(self, *arguments):
        timelines.append(True)
        return histories_before(self, *arguments)

    monkeypatch.setattr(Dataset, "clicks", noted_clicks)
    monkeypatch.setattr(Dataset, "_histories_before", noted_histories)
    return with_test, timelines


def trained(folder, split):
    schema = trending_schema(audience={"half_lives": [900]}) | {"split": split}
    prepare(schema, folder / "prepared", tables={"interactions": clicks()}, progress=False)
    train(folder / "prepared", "dnn", folder / "run", settings=SMALL)
    assert read_baselines(folder / "run").domains


@pytest.mark.parametrize("split", [{"kind": "last", "validation": 0.5}, {"kind": "random", "share": 0.2}], ids=str)
def test_where_test_rows_may_be_earlier_none_is_read(tmp_path, reads, split):
    trained(tmp_path, split)
    with_test, timelines = reads
    assert with_test
    assert not any(with_test)
    assert not timelines


def test_where_the_test_is_the_newest_validation_is_live(tmp_path, reads):
    trained(tmp_path, {"kind": "time", "at": 9 * HOUR})
    with_test, timelines = reads
    assert any(with_test)
    assert timelines
