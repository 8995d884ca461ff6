"""Context features of a request have the codes that the same values have in the log."""

import pytest

from adi.data.dataset import Dataset
from adi.errors import AdiError
from adi.features.reader import context_codes

DEVICES = ["tv", "pc", "pc", "tv", "é", "pc", "", "tv", "pc", "pc", "tv", None]
HOURS = [1.0, 2.5, 3.0, 4.0, 5.0, None, 7.0, 8.0, 9.0, 10.0, 11.0, 12.0]


@pytest.fixture
def prepared(workspace, log):
    rows = [{**row, "device": d, "hour": h} for row, d, h in zip(log, DEVICES, HOURS, strict=True)]
    workspace.write("log.jsonl", rows)
    workspace.add("context", name="device", kind="categorical")
    workspace.add("context", name="hashed", kind="categorical", column="device", hash_size=100)
    workspace.add("context", name="hour", kind="numeric", buckets=4)
    workspace.prepare()
    return workspace


def test_codes_are_those_of_the_log(prepared):
    dataset = Dataset(prepared.out)
    # training rows in their order: 1 10 2, 4 7, 5, 8 9; test rows: 6 0 3 11
    order = {"interactions": [1, 10, 2, 4, 7, 5, 8, 9], "test": [6, 0, 3, 11]}
    for part, rows in order.items():
        for position, row in enumerate(rows):
            values = {"device": DEVICES[row], "hashed": DEVICES[row], "hour": HOURS[row]}
            codes = context_codes(dataset, {name: str(value) for name, value in values.items() if value is not None})
            assert list(codes) == ["device", "hashed", "hour"]
            for name, code in codes.items():
                assert code.tolist() == [prepared[f"{part}/context_{name}"][position]], (name, row)
    assert set(prepared["interactions/context_device"]) == {2, 3, 4}


def test_what_is_not_said_is_missing_and_what_is_new_is_unseen(prepared):
    codes = context_codes(Dataset(prepared.out), {"device": "radio", "hour": "nan"})
    assert {name: code.tolist() for name, code in codes.items()} == {"device": [1], "hashed": [0], "hour": [0]}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"devise": "pc"},
            r"context 'devise' is not a context feature \(device, hashed, hour\)\. Did you mean 'device'\?",
        ),
        ({"hour": "noon"}, r"context 'hour': 'noon' is not a number"),
    ],
)
def test_faults_are_named(prepared, values, message):
    with pytest.raises(AdiError, match=message):
        context_codes(Dataset(prepared.out), values)


def test_a_dataset_without_context(workspace):
    workspace.prepare()
    assert context_codes(Dataset(workspace.out), {}) == {}
    with pytest.raises(AdiError, match=r"'device' is not a context feature \(there are none\)"):
        context_codes(Dataset(workspace.out), {"device": "pc"})
