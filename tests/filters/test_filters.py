"""Filters: what each condition selects by hand, random ones against a plain evaluator, and what is refused."""

import datetime as dt
import math
import operator

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from adi.errors import AdiError
from adi.filters.conditions import parse_filter
from adi.filters.grammar import MAX_DEPTH, MAX_LENGTH, And, Compare, Has, In, IsNull, Not, Or, parse

TABLE = pa.table(
    {
        "category": ["toys", "books", None, "it's", "Toys"],
        "bid": [0.5, None, 0.25, 2.0, -1.0],
        "stock": pa.array([3, 0, None, 2**62 + 1, -7], pa.int64()),
        "new": [True, False, None, True, False],
        "tags": [["sale", "red"], [], None, ["red", None], ["Sale"]],
        "sizes": [[1, 2], [2], None, [], [3]],
        "since": pa.array([dt.date(2020, 2, 29), None, dt.date(2024, 1, 1), dt.date(1999, 1, 1), dt.date(2020, 3, 1)]),
        "seen": pa.array([dt.datetime(2020, 1, 1, hour) for hour in (0, 6, 12, 18, 23)], pa.timestamp("us", "UTC")),
        "price of it": [1, 2, 3, 4, 5],
        "shop.title": ["a", "b", "c", "d", "e"],
        "size": pa.array([0.1, 0.7, None, 0.3, 0.0], pa.float32()),
        "maker": [{"name": "m"}, None, None, None, None],
    }
)


def selected(text, table=TABLE):
    positions = parse_filter(text).positions(table)
    assert positions.dtype == np.int64
    assert np.flatnonzero(parse_filter(text).mask(table)).tolist() == positions.tolist()
    return positions.tolist()


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("category = 'toys'", [0]),
        ("category != 'toys'", [1, 3, 4]),
        ("category = 'it''s'", [3]),
        ("category < 'b'", [4]),
        ("category in ('toys', 'books', 'bikes')", [0, 1]),
        ("category not in ('toys', 'books')", [3, 4]),
        ("not category in ('toys', 'books')", [3, 4]),
        ("category is null", [2]),
        ("category IS NOT NULL", [0, 1, 3, 4]),
        ("bid >= 0.5", [0, 3]),
        ("not bid >= 0.5", [2, 4]),
        ("bid < .5 or bid is null", [1, 2, 4]),
        ("bid=-1", [4]),
        ("bid in (5e-1, 2)", [0, 3]),
        ("stock = 4611686018427387905", [3]),
        ("stock > 2.5", [0, 3]),
        ("stock in (3, 0.0, 99999999999999999999)", [0, 1]),
        ("stock < 99999999999999999999", [0, 1, 3, 4]),
        ("size = 0.1", [0]),
        ("size in (0.1, 0.7, -0.0)", [0, 1, 4]),
        ("new = true", [0, 3]),
        ("new != true", [1, 4]),
        ("new in (true, false)", [0, 1, 3, 4]),
        ("tags has 'red'", [0, 3]),
        ("not tags has 'red'", [1, 4]),
        ("tags is null", [2]),
        ("sizes has 2", [0, 1]),
        ("sizes has 2.0 and not sizes has 1", [1]),
        ("since >= '2020-03-01'", [2, 4]),
        ("since in ('2020-02-29')", [0]),
        ("seen > '2020-01-01 06:00'", [2, 3, 4]),
        ("seen >= '2020-01-01T13:00+01:00'", [2, 3, 4]),
        ('"price of it" <= 2', [0, 1]),
        ("shop.title = 'b'", [1]),
        ("maker is not null", [0]),
        ("category = 'toys' or category = 'books' and bid > 9", [0]),
        ("(category = 'toys' or category = 'books') and bid > 0", [0]),
        ("not (category = 'toys' or bid = 2)", [4]),
        ("not not bid = 2", [3]),
        ("not (bid = 2 and category = 'x')", [0, 1, 2, 3, 4]),  # a null and a false are false
        ("bid > 9 or category = 'books'", [1]),  # a null or a true is true
        ("not (bid = 2 or category = 'x')", [0, 4]),
        ("category = 'x\n--;drop table'", []),
        (" \tbid\n>\r0 ", [0, 2, 3]),
    ],
)
def test_what_is_selected_by_hand(text, rows):
    assert selected(text) == rows


def test_and_binds_tighter_than_or_and_not_tightest():
    def one(name):
        return Compare(name, 0, "=", 1)

    assert parse("a = 1 or not b = 1 and c = 1 or d = 1") == Or((one("a"), And((Not(one("b")), one("c"))), one("d")))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"^filter, character 1: expected a column, 'not' or '\(', found the end\.$"),
        ("bid", r"character 4: expected one of = != < <= > >= in, not in, is, has, found the end"),
        ("bid >= ", r"character 8: expected a number, a text in single quotes, true or false, found the end"),
        ("category = toys", r"character 12: .* found toys\. Put a text in single quotes: 'toys'"),
        ("bid = null", r"character 7: .*found null\. Ask for what is missing with 'is null'"),
        ("bid == 1", r"character 6: expected a number, .* found =\."),
        ("bid <> 1", r"character 6: "),
        ("bid = 1 bid = 2", r"character 9: expected 'and', 'or' or the end, found bid"),
        ("(bid = 1", r"character 9: expected 'and', 'or' or '\)', found the end"),
        ("bid in ()", r"character 9: expected a number"),
        ("bid in 1", r"character 8: expected '\('"),
        ("bid in (1 2)", r"character 11: expected ',' or '\)', found 2"),
        ("bid not = 1", r"character 9: expected 'in', found ="),
        ("bid is 1", r"character 8: expected 'null' or 'not null', found 1"),
        ("category = 'toys", r"character 12: the text that begins here has no closing '"),
        ('"category = 1', r'character 1: the column that begins here has no closing "'),
        ("bid = 1e999", r"character 7: the number is too large"),
        ("bid = 12abc", r"character 7: '12abc' cannot be read"),
        ("bid; drop", r"character 4: '; drop' cannot be read"),
        ("and = 1", r"character 1: expected a column, 'not' or '\(', found and"),
        ("category = '\ud800'", r"character 13: '\\ud800' is not a character"),
        ("bid = " + "1" * MAX_LENGTH, rf"{MAX_LENGTH + 6} characters, and {MAX_LENGTH} are the most"),
        ("(" * (MAX_DEPTH + 1) + "bid = 1", rf"character {MAX_DEPTH + 2}: over {MAX_DEPTH} parentheses"),
        ("not " * 499 + "a=1", rf"over {MAX_DEPTH} parentheses and 'not' are open here"),
    ],
)
def test_what_cannot_be_parsed(text, message):
    with pytest.raises(AdiError, match=message):
        parse_filter(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "bid > 0 and categry = 'x'",
            r"character 13: no column 'categry'\. Did you mean 'category'\? Columns: category, bid",
        ),
        ("category >= 3", r"character 1: column 'category' is text, and 3 is not\. Put the text in single quotes"),
        ("bid = 'x'", r"column 'bid' is a number, and 'x' is not\. Write a number, without quotes"),
        ("stock = true", r"column 'stock' is a number, and true is not"),
        ("new = 1", r"column 'new' is true or false, and 1 is not"),
        ("new < true", r"column 'new' is true or false: compare it with = or !="),
        ("category in ('toys', 3)", r"column 'category' is text, and 3 is not"),
        ("category has 'toys'", r"column 'category' is text and no list: compare it with = or in"),
        ("tags = 'red'", r"column 'tags' is a list: ask what it contains, such as tags has 'x'"),
        ("tags in ('red')", r"column 'tags' is a list"),
        ("tags has 3", r"column 'tags' is text, and 3 is not"),
        ("sizes has 'x'", r"column 'sizes' is a number, and 'x' is not"),
        ("since > 2020", r"column 'since' is a date, and 2020 is not\. Write one such as '2024-01-31'"),
        ("since > '31.1.2024'", r"column 'since' is a date, and '31\.1\.2024' is not"),
        ("seen > '0001-01-01T00:00+23:00'", r"column 'seen' is a time, and '0001"),
        ("maker = 'm'", r"column 'maker' is struct<name: string>: it can only be asked for with 'is null'"),
    ],
)
def test_what_does_not_fit_the_columns(text, message):
    """Both where there are rows and where only the schema is known; whatever the rest of the filter selects."""
    for attempt in (parse_filter(text).mask, lambda table: parse_filter(text).check(table.schema)):
        with pytest.raises(AdiError, match=message):
            attempt(TABLE)


def test_a_filter_is_parsed_once_and_serves_several_tables():
    condition = parse_filter("bid > 1")
    assert parse_filter("bid > 1") is condition
    condition.check(TABLE.schema)
    assert selected("bid > 1") == [3]
    assert selected("bid > 1", pa.table({"bid": [None, 7, 8]})) == [1, 2]
    assert selected("bid > 1", TABLE.schema.empty_table()) == []
    assert selected("category in ('toys') or tags has 'red'", TABLE.schema.empty_table()) == []


def test_names_that_are_words_of_the_grammar_or_have_quotes():
    table = pa.table({"in": [1, 2], "IN": [2, 1], 'a"b': [3, 4], "größe_2": [5, 6]})
    assert selected('"in" = 1 AND "IN" In (2)', table) == [0]
    assert selected('"a""b" = 4 Or größe_2 = 5', table) == [0, 1]


def test_text_that_is_kept_as_a_dictionary():
    table = pa.table({"category": TABLE["category"].dictionary_encode()})
    assert selected("category in ('toys', 'books')", table) == [0, 1]


def test_as_deep_and_as_long_as_is_allowed():
    assert selected("(" * MAX_DEPTH + "bid = 2" + ")" * MAX_DEPTH) == [3]
    longest = f"bid in ({', '.join(['2'] * 600)})".ljust(MAX_LENGTH)
    assert selected(longest) == [3]
    with pytest.raises(AdiError, match=rf"{MAX_LENGTH + 1} characters, and {MAX_LENGTH} are the most"):
        parse_filter(f"{longest} ")


# The oracle: rows as dictionaries, three values as True, False and None.

OPERATORS = {
    "=": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip


def truth(node, row):
    match node:
        case And(parts):
            values = [truth(part, row) for part in parts]
            return False if False in values else None if None in values else True
        case Or(parts):
            values = [truth(part, row) for part in parts]
            return True if True in values else None if None in values else False
        case Not(part):
            value = truth(part, row)
            return None if value is None else not value
        case IsNull(column):
            return row[column] is None
    value = row[node.column]
    if value is None:
        return None
    match node:
        case Compare(operator=name, value=literal):
            return OPERATORS[name](value, literal)
        case In(values=literals):
            return any(value == literal for literal in literals)
        case Has(value=literal):
            return any(element == literal for element in value if element is not None)


def written(node):
    match node:
        case And(parts):
            return " and ".join(f"({written(part)})" if isinstance(part, Or | And) else written(part) for part in parts)
        case Or(parts):
            return " or ".join(f"({written(part)})" if isinstance(part, Or) else written(part) for part in parts)
        case Not(In() as part):
            return f"{part.column} not in ({', '.join(map(literal, part.values))})"
        case Not(IsNull() as part):
            return f"{part.column} is not null"
        case Not(part):
            return f"not ({written(part)})"
        case IsNull(column):
            return f"{column} is null"
        case Compare(column, operator=name, value=value):
            return f"{column} {name} {literal(value)}"
        case In(column, values=values):
            return f"{column} in ({', '.join(map(literal, values))})"
        case Has(column, value=value):
            return f"{column} has {literal(value)}"


def literal(value):
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    return str(value).lower()


TEXTS = st.sampled_from(["", "a", "b", "'", "é", "a b"])
WHOLE = st.integers(-3, 3)
HALVES = st.integers(-6, 6).map(lambda number: number / 2)
NUMBERS = WHOLE | HALVES
VALUES = {
    "text": TEXTS,
    "number": HALVES | st.sampled_from([math.nan, math.inf, -0.0]),
    "whole": WHOLE,
    "flag": st.booleans(),
    "texts": st.lists(TEXTS | st.none(), max_size=3),
    "wholes": st.lists(WHOLE | st.none(), max_size=3),
}
TYPES = {
    "text": pa.string(), "number": pa.float64(), "whole": pa.int8(), "flag": pa.bool_(),
    "texts": pa.list_(pa.string()), "wholes": pa.list_(pa.int32()),
}  # fmt: skip
LITERALS = {"text": TEXTS, "number": NUMBERS, "whole": NUMBERS | st.just(1000), "flag": st.booleans()}


def compared(column):
    literals = LITERALS[column]
    operators = st.sampled_from(["=", "!="] if column == "flag" else list(OPERATORS))
    return st.builds(Compare, st.just(column), st.just(0), operators, literals) | st.builds(
        In, st.just(column), st.just(0), st.lists(literals, min_size=1, max_size=3).map(tuple)
    )


LEAVES = st.one_of(
    *(compared(column) for column in LITERALS),
    st.builds(Has, st.just("texts"), st.just(0), TEXTS),
    st.builds(Has, st.just("wholes"), st.just(0), NUMBERS),
    st.builds(IsNull, st.sampled_from(list(VALUES)), st.just(0)),
)
EXPRESSIONS = st.recursive(
    LEAVES,
    lambda parts: st.one_of(
        st.builds(Not, parts),
        st.lists(parts, min_size=2, max_size=3).map(lambda found: And(tuple(found))),
        st.lists(parts, min_size=2, max_size=3).map(lambda found: Or(tuple(found))),
    ),
    max_leaves=8,
)
ROWS = st.lists(st.fixed_dictionaries({name: values | st.none() for name, values in VALUES.items()}), max_size=8)


@settings(max_examples=300)
@given(EXPRESSIONS, ROWS, st.integers(0, 8))
def test_random_filters_equal_the_oracle(expression, rows, cut):
    """On a table of several chunks, the last of them a slice, as row groups of a file are."""
    text = written(expression)
    whole = pa.Table.from_pylist(rows, pa.schema(TYPES))
    table = pa.concat_tables([whole.slice(0, cut), whole.slice(cut)])
    assert parse(text) == expression
    assert selected(text, table) == [place for place, row in enumerate(rows) if truth(expression, row) is True]


WORDS = [
    *("bid", "category", "tags", "x.y", "and", "or", "not", "in", "is", "null", "has", "true"),
    *("'", "''", '"', "(", ")", ",", "=", "!=", "<", "1", "-", ".5", "1e400", "9" * 30, "'x'"),
    *(" ", "\0", "\n", "é", "\ud800", "٣", ";"),
]


@given(
    st.text()
    | st.lists(st.sampled_from(WORDS), max_size=30).map("".join)
    | st.lists(st.sampled_from(WORDS)).map(" ".join)
)
@example("'" * 1999)
@example("(" * 2000)
@example("'" + "''" * 900 + "\\")
def test_garbage_raises_nothing_but_the_error_for_users(text):
    try:
        mask = parse_filter(text).mask(TABLE)
    except AdiError:
        return
    assert mask.shape == (5,)


def test_many_conditions_are_refused_at_the_first_too_many() -> None:
    most = " and ".join(["bid = 1"] * 32)
    assert len(parse_filter(most).columns) == 1
    with pytest.raises(AdiError, match=rf"character {len(most) + 6}: over 32 conditions\. Ask for several values"):
        parse_filter(f"{most} and bid = 1")
