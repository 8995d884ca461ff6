"""Each kind of split worked by hand on the twelve rows, and the splits that are refused."""

import datetime as dt
from hashlib import md5

import ibis
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adi.engines.duckdb_engine import DuckDBEngine
from adi.errors import AdiError
from adi.preparation.splitting import TEST, TRAIN, VALIDATION, assign_parts
from adi.schema import FilesSplit, LastSplit, RandomSplit, TimeSplit

USERS = {"ann": 0, "bo": 1, "cy": 2, "dee": 3}
SHARES = [0.853, 0.607, 0.174, 0.952]
"""Where the digests of the numbers 0 to 3 lie in their range: with a share of .5, only cy is drawn for validation."""


def digest_share(text: str) -> float:
    return int.from_bytes(md5(text.encode()).digest()[8:], "little") / 2**64


@pytest.fixture(scope="module")
def engine():
    database = ibis.duckdb.connect()
    yield DuckDBEngine(database)
    database.disconnect()


def split_rows(engine, rows, split, time="number"):
    """Part and `before` of each row, in the order of the file."""
    coded = [
        {"given_test": False, "time": None}
        | row
        | {"user": USERS.get(row["user"], row["user"]), "domain": "ab".index(row["domain"]), "row": position + 1}
        for position, row in enumerate(rows)
    ]
    kinds = {"user": pa.int32(), "domain": pa.int16(), "time": pa.int64(), "row": pa.int64(), "given_test": pa.bool_()}
    table = ibis.memtable(pa.Table.from_pylist(coded, pa.schema(kinds)))
    result = assign_parts(engine, table, split, time).order_by("row").select("part", "before").to_pyarrow()
    engine.drop("rows")
    return [tuple(row.values()) for row in result.to_pylist()]


def given_to_test(parts):
    return {position: before for position, (part, before) in enumerate(parts) if part == TEST}


def test_last_is_the_newest_of_each_user_and_domain(engine, log):
    parts = split_rows(engine, log, LastSplit(kind="last", validation=0))
    assert given_to_test(parts) == {0: 2, 3: 3, 6: 3, 11: 1}
    # ann: rows 1, 10, 2, then 3 and 6; bo: 4, 11, 7, 0, of which the test's 11 is no history of 7
    assert [before for part, before in parts if part == TRAIN] == [0, 2, 0, 0, 1, 0, 1, 1]


def test_last_without_time_is_the_last_in_the_file(engine, log):
    rows = [{**row, "time": None} for row in log]
    parts = split_rows(engine, rows, LastSplit(kind="last", validation=0), time=None)
    # nothing is earlier: before counts all that the user has in training
    assert given_to_test(parts) == {6: 3, 7: 2, 10: 3, 11: 2}
    assert parts[5] == (TRAIN, 1)


def test_last_leaves_alone_who_would_keep_nothing(engine):
    rows = [
        {"user": "cy", "item": "x", "domain": "a", "time": 1},
        {"user": "dee", "item": "x", "domain": "a", "time": 1},
        {"user": "dee", "item": "x", "domain": "b", "time": 2},
        {"user": "bo", "item": "x", "domain": "a", "time": 1},
        {"user": "bo", "item": "x", "domain": "a", "time": 2},
        {"user": "bo", "item": "x", "domain": "b", "time": 3},
    ]
    assert given_to_test(split_rows(engine, rows, LastSplit(kind="last", validation=0))) == {4: 1, 5: 1}


def test_validation_is_the_last_training_row_of_drawn_users(engine, log):
    assert [round(digest_share(str(user)), 3) for user in range(4)] == SHARES
    more = [
        {"user": "cy", "item": "x", "domain": domain, "time": int(time)} for domain, time in ("a1", "a2", "a3", "b9")
    ]
    parts = split_rows(engine, [*log, *more], LastSplit(kind="last", validation=0.5))
    assert given_to_test(parts) == {0: 2, 3: 3, 6: 3, 11: 1, 14: 2, 15: 3}
    # of cy's 1, 2 (a) and 5 (b) in training, the last of each domain; 1 is kept
    assert [position for position, (part, _) in enumerate(parts) if part == VALIDATION] == [5, 13]
    # a validation row is history: of the test row at 3 those at 1 and 2, of that at 9 also the one at 5
    assert parts[13] == (VALIDATION, 1)


def test_validation_leaves_a_training_row_to_its_user(engine, log):
    parts = split_rows(engine, log, LastSplit(kind="last", validation=0.5))
    assert parts[5] == (TRAIN, 0)  # cy is drawn, and this is the only row


MORE_SHARES = [*SHARES, 0.172, 0.832, 0.862, 0.262, 0.426, 0.151, 0.129, 0.79, 0.064]
"""Of the numbers 0 to 12, all of which have rows in a; 0 to 3 also have some in b."""


@pytest.mark.parametrize(
    ("validation", "least", "in_a", "in_b"),
    [
        (0.1, 0, {12}, set()),
        (0.1, 1, {12}, {2}),  # a tenth, which is more than 1 of 13, and a quarter
        (0.1, 2, {12, 10, 9}, {2}),  # 2 of 13, or .154, and a half
        (0.1, 1000, {12, 10, 9, 4, 2, 7, 8}, {2}),  # a half of each
        (0.3, 2, {12, 10, 9, 4, 2, 7}, {2}),  # never less than the split says
        (0.0, 1000, set(), set()),
    ],
)
def test_more_users_are_drawn_in_a_domain_with_few_validation_rows(engine, validation, least, in_a, in_b):
    assert [round(digest_share(str(user)), 3) for user in range(13)] == MORE_SHARES
    rows = [
        {"user": user, "item": "x", "domain": domain, "time": time}
        for domain, users in (("a", 13), ("b", 4))
        for user in range(users)
        for time in range(3)
    ]
    split = LastSplit(kind="last", validation=validation, validation_least=least)
    parts = split_rows(engine, rows, split)
    held_out = [
        (row["domain"], row["user"], row["time"])
        for row, (part, _) in zip(rows, parts, strict=True)
        if part == VALIDATION
    ]
    assert set(held_out) == {("a", user, 1) for user in in_a} | {("b", user, 1) for user in in_b}
    assert len(given_to_test(parts)) == 17


def test_several_last_rows_of_a_user_where_half_of_the_users_are_too_few(engine):
    """Domain a needs three of each drawn user, and b gets ten of one, the most, though it needs more."""
    sizes = {"a": dict.fromkeys(range(13), 12), "b": {0: 40, 1: 40, 2: 40, 3: 6}}
    rows = [
        {"user": user, "item": "x", "domain": domain, "time": time}
        for domain, users in sizes.items()
        for user, count in users.items()
        for time in range(count)
    ]
    parts = split_rows(engine, rows, LastSplit(kind="last", validation=0.1, validation_least=19))
    held_out: dict[tuple[str, int], list[int]] = {}
    for row, (part, _) in zip(rows, parts, strict=True):
        if part == VALIDATION:
            held_out.setdefault((row["domain"], row["user"]), []).append(row["time"])
    of_a = {("a", user): [8, 9, 10] for user in (12, 10, 9, 4, 2, 7, 8)}
    assert held_out == of_a | {("b", 2): [*range(29, 39)]}


def test_the_least_number_is_a_thousand_and_of_validation_by_users_alone(engine, log):
    assert LastSplit(kind="last").validation_least == 1000
    least = {
        number: split_rows(
            engine,
            [row | {"user": 2 if row["user"] == "ann" else 9} for row in log],
            TimeSplit(kind="time", at=30, validation=0.2, validation_least=number),
        )
        for number in (0, 1000)
    }
    assert least[0] == least[1000]


@pytest.mark.parametrize(
    ("at", "expected"),
    [(20, {0: 2, 2: 2, 3: 2, 6: 2, 7: 2}), (20.5, {0: 3, 6: 4}), (-1, dict.fromkeys(range(12), 0)), (41, {})],
)
def test_time_is_every_row_at_or_after_the_moment(engine, log, at, expected):
    assert given_to_test(split_rows(engine, log, TimeSplit(kind="time", at=at, validation=0))) == expected


@pytest.mark.parametrize(
    ("at", "count"),
    [
        (dt.date(2017, 10, 4), 2),
        (dt.datetime(2017, 10, 4), 2),
        (dt.datetime(2017, 10, 4, 0, 0, 0, 1), 1),
        (dt.datetime(2017, 10, 4, 3, tzinfo=dt.timezone(dt.timedelta(hours=3))), 2),
    ],
)
def test_a_moment_is_exact_to_the_microsecond(engine, at, count):
    noon = 1_507_075_200_000_000  # 2017-10-04 00:00 UTC
    rows = [{"user": "ann", "item": "x", "domain": "a", "time": noon + step} for step in (-1, 0, 1)]
    parts = split_rows(engine, rows, TimeSplit(kind="time", at=at, validation=0), time="timestamp")
    assert len(given_to_test(parts)) == count


def test_random_draws_rows_by_their_digest(engine, log):
    # digests of "1-4" to "12-4": .55 .55 .92 .66 .47 .48 .97 .36 .25 .91 .95 .24
    parts = split_rows(engine, log, RandomSplit(kind="random", share=0.4, seed=4, validation=0))
    assert given_to_test(parts) == {7: 1, 8: 0, 11: 1}
    other = split_rows(engine, log, RandomSplit(kind="random", share=0.4, seed=5, validation=0))
    assert given_to_test(other) != given_to_test(parts)


def test_files_is_what_was_given(engine, log):
    given_rows = [
        {"user": "ann", "item": "z", "domain": "a", "time": 12, "given_test": True},
        {"user": "ann", "item": "w", "domain": "a", "time": 20, "given_test": True},
        {"user": "bo", "item": "w", "domain": "b", "time": 99, "given_test": True},
        {"user": 4, "item": "x", "domain": "a", "time": 1, "given_test": True},
    ]
    parts = split_rows(engine, [*log, *given_rows], FilesSplit(kind="files", test="t", validation=0))
    # ann: 10 is before 12; 10, 15, 20, 20 are before the given 20, which comes after the log
    assert given_to_test(parts) == {12: 1, 13: 4, 14: 4, 15: 0}
    assert {part for part, _ in parts[:12]} == {TRAIN}


rows_strategy = st.lists(
    st.tuples(st.integers(0, 6), st.sampled_from("ab"), st.integers(0, 5)), min_size=1, max_size=60
)


@settings(max_examples=40)
@given(rows_strategy, st.sampled_from([0.0, 0.3, 0.5]), st.sampled_from([0, 1, 2, 5, 1000]))
def test_last_equals_a_plain_loop(engine, rows, validation, least):
    rows = [{"user": user, "domain": domain, "time": time} for user, domain, time in rows]
    parts = split_rows(engine, rows, LastSplit(kind="last", validation=validation, validation_least=least))
    expected = [TRAIN] * len(rows)
    order = sorted(range(len(rows)), key=lambda position: (rows[position]["time"], position))

    def newest_first():
        """The training rows of each user and domain, for users who keep another than the last of each domain."""
        for user in {row["user"] for row in rows}:
            kept = [position for position in order if rows[position]["user"] == user and expected[position] == TRAIN]
            of_domains = {rows[position]["domain"]: [] for position in kept}
            for position in reversed(kept):
                of_domains[rows[position]["domain"]].append(position)
            yield from of_domains.values() if len(kept) > len(of_domains) else ()

    for last, *_ in list(newest_first()):
        expected[last] = TEST
    candidates = [each[: max(min(len(each) // 2, 10), 1)] for each in newest_first()]
    for domain in "ab":
        here = [each for each in candidates if rows[each[0]]["domain"] == domain]
        for each in here:
            share = max(validation, min(least / len(here), 0.5)) if validation else 0
            if digest_share(str(rows[each[0]]["user"])) < share:
                up_to = [sum(len(other[:depth]) for other in here) for depth in range(1, 11)]
                depth = next((depth for depth, count in enumerate(up_to, 1) if count >= 2 * least), 10)
                for position in each[: depth if least > len(here) / 2 else 1]:
                    expected[position] = VALIDATION
    assert [part for part, _ in parts] == expected
    for position, (_, before) in enumerate(parts):
        earlier = order[: order.index(position)]
        assert before == sum(rows[e]["user"] == rows[position]["user"] and expected[e] != TEST for e in earlier)


def test_no_test_rows_at_all(workspace):
    workspace.schema["split"] = {"kind": "time", "at": 41}
    with pytest.raises(
        AdiError, match=r"log\.jsonl: the split .*at: 41.* leaves the test none of the 12 rows\. Choose"
    ):
        workspace.prepare()
    assert workspace.left_behind() == []


def test_no_training_rows_in_a_domain(workspace, log):
    workspace.write("log.jsonl", [*log, {"user": "ann", "item": "x", "domain": "c", "time": 50}])
    with pytest.raises(
        AdiError, match=r"log\.jsonl: the split \{kind: last\} leaves domain 'c' no row for training; its 1 rows"
    ):
        workspace.prepare()
    assert workspace.left_behind() == []


def test_rows_at_or_after_until_are_set_aside_and_counted(workspace, log):
    workspace.schema["split"] = {"kind": "time", "at": 20, "until": 30, "validation": 0}
    manifest = workspace.prepare()
    late = [row["time"] for row in log if row["time"] >= 30]
    assert (len(late), manifest.rows.kept, manifest.rows.set_aside) == (2, 10, {"at or after split.until": 2})
    assert sorted(workspace["test/time"]) == [20, 20, 20]
    assert sorted(row["time"] for row in workspace.rows("set_aside")) == sorted(late)
    assert max(workspace["timeline/time"]) == 20


def test_a_fault_of_a_row_is_named_before_its_time(workspace, log):
    workspace.write("log.jsonl", [*log, {"user": "ann", "item": None, "domain": "a", "time": 99}])
    workspace.schema["split"] = {"kind": "time", "at": 20, "until": 99, "validation": 0}
    assert workspace.prepare().rows.set_aside == {"no item": 1}


def test_a_log_that_ends_before_until_is_whole(workspace):
    workspace.schema["split"] = {"kind": "time", "at": 20, "until": 41, "validation": 0}
    assert workspace.prepare().rows.set_aside == {}


@pytest.mark.parametrize(
    ("at", "until", "message"),
    [
        (20, 20, r"split\.time: until \(20\) is to be later than at \(20\)"),
        (20, "2017-10-04", r"split\.time: at \(20\) and until \(2017-10-04.*\) are both numbers, or both dates"),
        ("2017-10-04", "2017-10-05", r"split\.at: 2017-10-04.* does not fit .*BIGINT"),
    ],
)
def test_an_end_that_does_not_fit(workspace, at, until, message):
    workspace.schema["split"] = {"kind": "time", "at": at, "until": until}
    with pytest.raises(AdiError, match=message):
        workspace.prepare()
    assert workspace.left_behind() == []


@pytest.mark.parametrize(
    ("at", "time", "message"),
    [
        (
            "2017-10-04",
            int,
            r"split\.at: 2017-10-04.* does not fit .*log\.jsonl, column 'time': BIGINT\. Give a number",
        ),
        (
            20,
            dt.datetime.fromtimestamp,
            r"split\.at: 20 does not fit .*log\.jsonl, column 'time': TIMESTAMP\. Give a date",
        ),
    ],
)
def test_a_moment_of_another_type_than_the_time(workspace, log, at, time, message):
    workspace.write("log.jsonl", [{**row, "time": time(row["time"])} for row in log])
    workspace.schema["split"] = {"kind": "time", "at": at}
    with pytest.raises(AdiError, match=message):
        workspace.prepare()


class TestFiles:
    def given_test(self, workspace, rows, **more):
        workspace.write("test.jsonl", rows)
        workspace.schema["split"] = {"kind": "files", "test": "test.jsonl", "validation": 0, **more}

    def test_prepared(self, workspace):
        rows = [("ann", "w", "b", 20), ("bo", "w", "b", 99), ("ann", "q", "a", 12.5), ("eve", "x", "a", 1)]
        names = ("user", "item", "domain", "time")
        self.given_test(workspace, [dict(zip(names, row, strict=True)) for row in rows])
        manifest = workspace.prepare()
        assert manifest.rows.model_dump() == {"read": 16, "kept": 16, "set_aside": {}}
        assert [row["key"] for row in workspace.rows("entities/user")] == ["ann", "bo", "cy", "dee", "eve"]
        assert [row["key"] for row in workspace.rows("entities/item")] == ["q", "w", "x", "y", "z"]
        assert workspace["test/user"] == [0, 4, 0, 1]
        assert workspace["test/item"] == [0, 2, 1, 1]
        assert workspace["test/time"] == [
            12.5,
            1,
            20,
            99,
        ]  # whole numbers in the log, fractions here: all are fractions
        assert workspace["test/before"] == [1, 0, 4, 4]  # what the log has at time 20 comes before the test's 20
        assert workspace["interactions/user_offsets"] == [0, 5, 9, 10, 12, 12]

    def test_a_missing_column_is_named_before_the_log_is_read(self, workspace, log):
        self.given_test(workspace, [{"user": "ann", "item": "x", "time": 1}])
        with pytest.raises(AdiError, match=r"test\.jsonl: no column 'domain' \(domains\.column\)"):
            workspace.prepare()

    def test_times_of_two_kinds(self, workspace, log):
        self.given_test(workspace, [{**log[0], "time": "2020-01-01"}])
        with pytest.raises(
            AdiError, match=r"test\.jsonl, column 'time': not the same kind .*log\.jsonl: number, here timestamp"
        ):
            workspace.prepare()

    def test_an_empty_test(self, workspace):
        self.given_test(workspace, [])
        with pytest.raises(AdiError, match=r"test\.jsonl: the file is empty"):
            workspace.prepare()
