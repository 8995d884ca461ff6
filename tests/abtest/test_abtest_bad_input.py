"""Bad input of a test: each is counted and named, and left out or refused, as docs/abtest.md says."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from abtest_logs import Logs, Row, WriteLogs, clicked, many, shown
from adi.abtest.analysis import analyze
from adi.abtest.clicks import ClickColumns
from adi.abtest.result import AbTest
from adi.errors import AdiError

CHARGE = ClickColumns(charge="charge")
PAIR = [shown("ann", "control", 0), shown("cat", "treatment", 0)]
CLICKS = [clicked("ann", 0.5), clicked("cat", 0.5)]


def faults(test: AbTest) -> dict[str, int]:
    return {fault.name: fault.rows for fault in test.faults}


def run(logs: Logs, **options: object) -> AbTest:
    return analyze(logs.exposures, logs.clicks, **({"columns": CHARGE} | options))  # type: ignore[arg-type]


def counts(test: AbTest) -> dict[str, tuple[int, int, float]]:
    return {name: (arm.exposures, arm.clicks, arm.charge) for name, arm in test.arms.items()}


UNTOUCHED = {"control": (1, 1, 1.0), "treatment": (1, 1, 1.0)}


def test_clean_logs_have_no_faults(write_logs: WriteLogs) -> None:
    test = run(write_logs(PAIR, CLICKS))
    assert (faults(test), test.doubts, counts(test)) == ({}, (), UNTOUCHED)


@pytest.mark.parametrize(
    ("exposure", "name"),
    [
        (shown("eve", "control", 0, assignment="header"), "chosen by header (assignment header)"),
        (shown(None, "control", 0, assignment="none"), "of nobody (assignment none)"),
        (shown("eve", "control", 0, experiment="y"), "of another experiment, or of none"),
        (shown("eve", None, 0, experiment=None, assignment=None), "of another experiment, or of none"),
        (shown(None, "control", 0), "exposures without user, time, arm or domain"),
        (shown("", "control", 0), "exposures without user, time, arm or domain"),
        (PAIR[0], "duplicate exposures"),
    ],
)
def test_an_exposure_that_is_not_compared(write_logs: WriteLogs, exposure: Row, name: str) -> None:
    test = run(write_logs([*PAIR, exposure], CLICKS), experiment="x")
    assert (faults(test), counts(test)) == ({name: 1}, UNTOUCHED)


@pytest.mark.parametrize(
    ("click", "name"),
    [
        (clicked(None, 0.5), "clicks without user, item, domain or time"),
        (clicked("ann", 0.5, item=None), "clicks without user, item, domain or time"),
        (clicked("ann", 0.5, domain=None), "clicks without user, item, domain or time"),
        (clicked("ann", 0.5, time=None), "clicks without user, item, domain or time"),
        (clicked("ann", 0.6, -1.0), "clicks with a negative or infinite charge"),
        (clicked("ann", 0.6, float("inf")), "clicks with a negative or infinite charge"),
        (clicked("ann", 0.6, float("nan")), "clicks with a negative or infinite charge"),
        (clicked("ann", 0.6, None), "clicks whose charge ('charge') is missing or no number"),
        (CLICKS[0], "duplicate clicks"),
        (clicked("eve", 0.5), "clicks of users outside the experiment"),
        (clicked("ann", 0.5, item="unseen"), "clicks without exposure"),
        (clicked("ann", 0.5, domain="feed"), "clicks without exposure"),
        (clicked("ann", 1.1), "clicks later than the window"),
    ],
)
def test_a_click_that_is_left_out(write_logs: WriteLogs, click: Row, name: str) -> None:
    test = run(write_logs(PAIR, [*CLICKS, click]))
    assert (faults(test), counts(test)) == ({name: 1}, UNTOUCHED)


def test_a_click_before_its_exposure_says_how_far_clocks_are_apart(write_logs: WriteLogs) -> None:
    late_list = [*PAIR, shown("ann", "control", 9.0)]
    test = run(write_logs(late_list, [*CLICKS, clicked("ann", 8.9)]))
    assert faults(test) == {"clicks before their exposure (clocks apart)": 1}
    assert "user 'ann', item 'i', domain 'search'" in test.faults[0].sentence
    assert "(median 360.0 s before)" in test.faults[0].sentence
    assert test.arms["control"].clicks == 1
    assert test.doubts == ("clicks before their exposure (clocks apart): 1 of 3 clicks, more than 1%",)


def test_the_latest_list_has_the_click(write_logs: WriteLogs) -> None:
    lists = [*PAIR, shown("ann", "control", 0.4), shown("ann", "control", 0.6), shown("ann", "control", 24.0)]
    test = run(write_logs(lists, CLICKS))
    by_day = [(day.day, day.clicks) for day in test.by_day if day.domain is None and day.arm == "control"]
    assert by_day == [("2026-11-01", 1), ("2026-11-02", 0)]


def test_users_in_both_arms_are_left_out_of_both(write_logs: WriteLogs) -> None:
    lists = [*PAIR, shown("eve", "control", 0), shown("eve", "treatment", 1)]
    test = run(write_logs(lists, [*CLICKS, clicked("eve", 0.5)]))
    assert faults(test) == {"users in more than one arm": 1, "clicks of users outside the experiment": 1}
    assert counts(test) == UNTOUCHED
    assert test.doubts == ("users in more than one arm: 1 of 3 users, more than 1%",)


def test_few_users_in_both_arms_leave_the_verdicts(write_logs: WriteLogs) -> None:
    exposures, clicks = many(600, uplift=0.8)
    both = [shown("eve", "control", 0), shown("eve", "treatment", 1)]
    test = run(write_logs([*exposures, *both], clicks))
    assert (faults(test)["users in more than one arm"], test.doubts) == (1, ())
    assert "helps" in {each.verdict for each in test.uplifts}


def test_a_doubt_withholds_every_verdict_and_says_why(write_logs: WriteLogs) -> None:
    exposures, clicks = many(600, uplift=0.8)
    wrong = [row | {"charge": -1.0} for row in clicks[: len(clicks) // 10]]
    test = run(write_logs(exposures, [*wrong, *clicks[len(clicks) // 10 :]]))
    assert test.doubts == (
        f"clicks with a negative or infinite charge: {len(wrong)} of {len(clicks)} clicks, more than 1%",
    )
    assert {each.verdict for each in test.uplifts} == {"not decided"}
    assert all("negative or infinite charge" in each.sentence for each in test.uplifts if each.low is not None)


def test_a_domain_of_ten_users_has_values_and_no_interval(write_logs: WriteLogs) -> None:
    large, small = many(600, uplift=0.8), many(10, domain="tiny")
    test = run(write_logs([*large[0], *small[0]], [*large[1], *small[1]]))
    tiny = [each for each in test.uplifts if each.domain == "tiny" and each.metric == "ctr"]
    assert [(each.users, each.low, each.verdict) for each in tiny] == [((5, 5), None, "not decided")]
    assert tiny[0].value is not None
    assert tiny[0].reason == "5 users in an arm, of 50 that an interval needs"


def test_few_clicks_have_no_interval(write_logs: WriteLogs) -> None:
    exposures, clicks = many(600)
    of_control = [row for row in clicks if int(row["user"].split("-")[1]) % 2 == 0]
    of_treatment = {row["user"]: row for row in clicks if int(row["user"].split("-")[1]) % 2}
    test = run(write_logs(exposures, [*of_control, *list(of_treatment.values())[:3]]))
    reasons = {each.metric: each.reason for each in test.uplifts if each.domain is None}
    assert reasons["ctr"] == "3 users in an arm with any clicks, of 10 that an interval needs"


def test_a_test_that_was_stopped_early_decides_nothing_unless_it_is_sequential(write_logs: WriteLogs) -> None:
    logs = write_logs(*many(600, uplift=0.8, days=5))
    (doubt,) = run(logs, days=14).doubts
    assert doubt.startswith("stopped early: 5.0 of 14 days")
    sequential = run(logs, days=14, sequential=True)
    assert (sequential.doubts, sequential.uplifts[2].verdict) == ((), "helps")
    assert run(logs, days=5).doubts == ()


def test_arms_that_have_not_their_shares_decide_nothing(write_logs: WriteLogs) -> None:
    logs = write_logs(*many(600, uplift=0.8))
    assert run(logs, shares={"control": 0.5, "treatment": 0.5}).doubts == ()
    (doubt,) = run(logs, shares={"control": 0.75, "treatment": 0.25}).doubts
    assert doubt.startswith("sample ratio mismatch (control 300 users for 450, treatment 300 users for 150")


def test_days_without_clicks_are_named(write_logs: WriteLogs) -> None:
    exposures, clicks = many(600, days=4)
    kept = [row for row in clicks if row["time"].day != 3]
    assert run(write_logs(exposures, kept)).doubts == (
        "no click in any arm on 1 days with exposures, first on 2026-11-03: clicks are missing",
    )
    test = run(write_logs([*exposures, shown("search-0", "control", 500.0)], clicks))
    assert test.doubts == ()  # a day with one list has no click by chance


def test_arms_that_differed_before_the_test_decide_nothing(write_logs: WriteLogs) -> None:
    exposures, clicks = many(600)
    earlier = [
        clicked(f"search-{user}", -5.0 - number)
        for user in range(600)
        for number in range(1 + 2 * (user % 2) + user % 3)
    ]
    logs = write_logs(exposures, [*clicks, *earlier])
    doubts = run(logs, before="2026-10-01").doubts
    assert [doubt.partition(" (")[0] for doubt in doubts] == [
        "the users of treatment differed from control's before the test"
    ] * 2
    assert run(logs).doubts == ()


def test_clocks_that_are_hours_apart_leave_most_clicks_without_a_list(write_logs: WriteLogs) -> None:
    exposures, clicks = many(600, days=1)
    shifted = [row | {"time": row["time"].replace(hour=(row["time"].hour + 5) % 24)} for row in clicks]
    test = run(write_logs(exposures, shifted))
    assert any(doubt.startswith("clicks that belong to no list") for doubt in test.doubts)


def test_logs_without_a_click_of_a_list_are_refused(write_logs: WriteLogs) -> None:
    logs = write_logs(PAIR, [clicked("Ann", 0.5), clicked("Cat", 0.5)])
    with pytest.raises(AdiError, match=r"none belongs to a list .*users outside the experiment: 2 of 2"):
        run(logs)


@pytest.mark.parametrize(
    ("exposures", "options", "message"),
    [
        (PAIR[:1], {}, r"exposures of the arm 'control' alone"),
        (
            PAIR,
            {"shares": {"control": 0.5, "treatment": 0.3, "third": 0.2}},
            r"arm 'third' of 'x' has no exposure by hash",
        ),
        (PAIR, {"shares": {"control": 0.5, "other": 0.5}}, r"arm 'other' of 'x' has no exposure"),
        ([*PAIR, shown("e", "b", 0)], {"shares": {"control": 0.5, "treatment": 0.5}}, r"arm 'b' is not one of 'x'"),
        (PAIR, {"control": "old"}, r"control: 'old' is not an arm with exposures \(control, treatment\)"),
        (PAIR, {"experiment": "xx"}, r"'xx' has no exposures .*Did you mean 'x'\?"),
        ([*PAIR, shown("e", "b", 0, experiment="y")], {}, r"exposures of 2 experiments \(x, y\)"),
        ([shown("ann", None, 0, experiment=None, assignment=None)], {}, r"exposures of no experiment"),
        ([shown("ann", "control", 0, assignment="header")], {}, r"'x' has no exposures whose assignment is hash"),
        (
            [shown("a", "control", 0), shown("a", "treatment", 0), shown("b", "control", 0)],
            {},
            r"every user of arm 'treatment' was also in another arm",
        ),
        (PAIR, {"window": "soon"}, r"window: 'soon' is not a duration"),
        (PAIR, {"window": "0h"}, r"window: '0h' is no time"),
        (PAIR, {"before": "yesterday"}, r"before: 'yesterday' is no time"),
        (
            PAIR,
            {"before": "2026-11-01T00:00:00+00:00"},
            r"is not before the first list of the test, 2026-11-01T00:00:00",
        ),
        (PAIR, {"margin": 0.0}, r"margin: 0.0; give a share"),
        (PAIR, {"memory": "much"}, r"memory: 'much' is no size"),
    ],
)
def test_what_is_refused(write_logs: WriteLogs, exposures: list[Row], options: dict[str, object], message: str) -> None:
    logs = write_logs(exposures, CLICKS)
    with pytest.raises(AdiError, match=message):
        run(logs, **options)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"user": [1.0]}, r"column 'user': ids of type DOUBLE; 7.0 is not 7"),
        ({"item": [1.5]}, r"column 'item': ids of type DOUBLE"),
        ({"time": [1_700_000_000]}, r"column 'time': of type BIGINT"),
        ({"charge": None}, r"charge: .* has no column 'charge'"),
        ({"user": None}, r"user: .* has no column 'user'"),
    ],
)
def test_a_table_of_clicks_that_is_refused(
    write_logs: WriteLogs, tmp_path: Path, columns: dict[str, object], message: str
) -> None:
    logs = write_logs(PAIR, CLICKS)
    row = {name: [value] for name, value in CLICKS[0].items()} | columns
    pq.write_table(pa.table({name: value for name, value in row.items() if value is not None}), logs.clicks)
    with pytest.raises(AdiError, match=message):
        run(logs)


def test_a_click_with_two_charges_is_refused(write_logs: WriteLogs) -> None:
    logs = write_logs(PAIR, [*CLICKS, CLICKS[0] | {"charge": 2.0}])
    with pytest.raises(
        AdiError, match=r"user 'ann', item 'i', domain 'search', .*: given twice with different charges"
    ):
        run(logs)


def test_files_that_are_no_exposures_are_refused(write_logs: WriteLogs, tmp_path: Path) -> None:
    logs = write_logs(PAIR, CLICKS)
    with pytest.raises(AdiError, match=r"logs: .*none: no folder with Parquet files"):
        analyze(tmp_path / "none", logs.clicks)
    pq.write_table(pa.table({"user": ["a"]}), logs.exposures / "b.parquet")
    with pytest.raises(AdiError, match=r"b.parquet: lacks column 'time', and is no file of exposures"):
        run(logs)
    (logs.exposures / "b.parquet").write_bytes(b"half a file")
    with pytest.raises(AdiError, match=r"b.parquet: cannot be read as Parquet"):
        run(logs)


@pytest.mark.parametrize(
    ("paths", "message"),
    [
        (["none.csv"], r"clicks: none.csv: no such file"),
        (["clicks.parquet", "clicks.csv"], r"of different formats"),
        (["clicks.txt"], r"is neither .parquet nor .csv"),
        (["empty.csv"], r"clicks: no rows"),
    ],
)
def test_paths_of_clicks_that_are_refused(
    write_logs: WriteLogs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, paths: list[str], message: str
) -> None:
    logs = write_logs(PAIR, CLICKS)
    monkeypatch.chdir(tmp_path)
    for name in ("clicks.csv", "clicks.txt", "empty.csv"):
        Path(name).write_text("user,item,domain,time,charge\n")
    with pytest.raises(AdiError, match=message):
        analyze(logs.exposures, paths, columns=CHARGE)


def test_csv_keeps_ids_as_written_and_names_times_that_cannot_be_read(write_logs: WriteLogs, tmp_path: Path) -> None:
    logs = write_logs([shown("1e1", "control", 0), shown("10", "treatment", 0)], CLICKS)
    rows = "1e1,i,search,2026-11-01T00:10:00Z,1.5\n10,i,search,2026-11-01 01:10:00+01:00,2\n10,i,search,noon,1\n"
    (tmp_path / "c.csv").write_text("who,item,domain,time,price\n" + rows + "10,i,search,2026-11-01 00:20:00,free\n")
    columns = ClickColumns(user="who", charge="price")
    test = analyze(logs.exposures, tmp_path / "c.csv", columns=columns)
    assert counts(test) == {"control": (1, 1, 1.5), "treatment": (1, 1, 2.0)}
    assert faults(test) == {
        "clicks whose time cannot be read": 1,
        "clicks whose charge ('price') is missing or no number": 1,
    }


def test_no_number_of_a_result_is_not_finite(write_logs: WriteLogs) -> None:
    """No click in one arm, one user in another domain: what is not defined is None, and JSON takes the rest."""
    lists = [*PAIR, shown("ann", "control", 1, domain="feed")]
    content = run(write_logs(lists, CLICKS[:1])).to_json()
    numbers = [value for each in content["uplifts"] for value in each.values() if isinstance(value, float)]
    assert np.isfinite(numbers).all()
