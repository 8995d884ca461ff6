"""The users of clicks, with the items that they had clicked before, in both kinds of split."""

import numpy as np
import pytest

from adi.data.dataset import Dataset

LAST = 3


def rows_of(dataset, *, with_test):
    """User, item, time and whether it is of the test, of every click of the log, in the numbering of clickers."""
    parts = ("interactions", "test") if with_test else ("interactions",)
    columns = [np.concatenate([dataset.array(f"{part}/{name}") for part in parts]) for name in ("user", "item", "time")]
    return *columns, np.arange(len(columns[0])) >= dataset.num_rows


def histories_of(dataset, *, with_test):
    """The items of the history of every click, by its number."""
    users, _, times, in_test = rows_of(dataset, with_test=with_test)
    histories = {}
    for part in (False, True) if with_test else (False,):
        rows = np.flatnonzero(in_test == part)
        clickers = dataset.clickers(rows, in_test=part, last=LAST, with_test=with_test)
        np.testing.assert_array_equal(clickers.users, users[rows])
        np.testing.assert_array_equal(clickers.moments, times[rows])
        offsets = clickers.histories.offsets
        for number, row in enumerate(rows):
            histories[int(row)] = clickers.histories.items[offsets[number] : offsets[number + 1]].tolist()
    return histories


def log_of(seed=0):
    """Clicks of six users, each at a time of its own."""
    rng = np.random.default_rng(seed)
    return [
        {"user": f"u{rng.integers(6)}", "item": f"i{rng.integers(9)}", "domain": "ab"[rng.integers(2)], "time": time}
        for time in range(90)
    ]


SPLITS = {
    "time": {"kind": "time", "at": 60, "validation": 0.2, "validation_by": "time"},
    "last": {"kind": "last", "validation": 0.5},
}


@pytest.fixture(params=SPLITS)
def split(workspace, request):
    workspace.write("log.jsonl", log_of())
    workspace.schema |= {"split": SPLITS[request.param], "repeats": True, "corpus": "all"}
    workspace.prepare()
    return request.param, workspace.out


@pytest.mark.parametrize("all_rows", [False, True])
def test_histories_are_the_last_items_known_before_the_click(split, all_rows):
    """With the test where its clicks are known, and without it where they are not; the click itself never."""
    kind, folder = split
    dataset, with_test = Dataset(folder, all_rows=all_rows), kind == "time"
    assert len(Dataset(folder).rows("validation"))
    assert len(dataset.rows("test"))
    users, items, times, in_test = rows_of(dataset, with_test=with_test)
    histories = histories_of(dataset, with_test=with_test)
    assert len(histories) == len(users) == dataset.num_rows + with_test * len(dataset.rows("test"))
    for row, history in histories.items():
        earlier = np.flatnonzero((users == users[row]) & (times < times[row]))
        assert history == items[earlier[np.argsort(times[earlier])]][-LAST:].tolist()
    assert any(len(history) == LAST for history in histories.values())
    assert in_test.any() == with_test


def test_rows_of_the_test_are_in_no_history_without_it(workspace):
    """Each user's click of z is the test's, between clicks of the other domain; validation rows are known."""
    days = [("x", "a", 1), ("y", "a", 2), ("z", "b", 3), ("w", "a", 4), ("v", "a", 5), ("q", "a", 6)]
    rows = [
        {"user": f"u{user}", "item": item, "domain": domain, "time": 10 * time + user}
        for user in range(3)
        for item, domain, time in [("o", "b", 0), *days]
    ]
    workspace.write("log.jsonl", rows)
    workspace.schema["split"] = {"kind": "last", "validation": 0.5}
    workspace.prepare()
    dataset = Dataset(workspace.out)
    keys = [dataset.items.key(number) for number in range(dataset.manifest.items)]
    validation = [keys[item] for item in dataset.targets("validation", dataset.rows("validation"))[1]]
    assert "v" in validation
    _, items, _, _ = rows_of(dataset, with_test=False)
    expected = {"o": "", "x": "o", "y": "ox", "w": "oxy", "v": "xyw"}  # z and q are the test
    for row, history in histories_of(dataset, with_test=False).items():
        assert "".join(keys[item] for item in history) == expected[keys[items[row]]]
    live = dataset.clickers(np.arange(dataset.num_rows), in_test=False, last=LAST, with_test=True)
    assert "z" in {keys[item] for item in live.histories.items}


def test_clicks_of_equal_time(workspace):
    """Nothing of the same time is known where the test is; without it, what is earlier in the log."""
    rows = [{"user": "u", "item": item, "domain": "a", "time": time} for item, time in (("x", 1), ("y", 2), ("z", 2))]
    others = [{"user": f"o{n}", "item": "xyz"[n % 3], "domain": "a", "time": n} for n in range(9)]
    workspace.write("log.jsonl", [*rows, *others, {"user": "u", "item": "x", "domain": "a", "time": 5}])
    workspace.schema |= {"split": {"kind": "time", "at": 5, "validation": 0.0}, "repeats": True}
    workspace.prepare()
    dataset = Dataset(workspace.out)
    keys = [dataset.items.key(number) for number in range(dataset.manifest.items)]
    user = next(number for number in range(dataset.manifest.users) if dataset.users.key(number) == "u")
    rows = np.flatnonzero(dataset.array("interactions/user") == user)
    for with_test, expected in ((True, ["", "x", "x"]), (False, ["", "x", "xy"])):
        histories = dataset.clickers(rows, in_test=False, last=LAST, with_test=with_test).histories
        found = ["".join(keys[item] for item in part) for part in np.split(histories.items, histories.offsets[1:-1])]
        assert found == expected
