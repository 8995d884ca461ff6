"""SQL in a schema: one expression over the columns of a row, and nothing else."""

import re

import duckdb
import pytest

from adi.engines.expression import fault_of_expression


@pytest.fixture(scope="module")
def connection():
    with duckdb.connect() as connection:
        yield connection


@pytest.mark.parametrize(
    "text",
    [
        "event = 'buy'",
        "event IN ('buy', 'cart') AND price > 0",
        "rating >= 4 OR NOT returned",
        "price BETWEEN 1 AND 9",
        'lower("Event Type") LIKE \'%buy%\' AND "a.b" IS NOT NULL',
        "CASE WHEN event = 'view' THEN dwell > 30 ELSE true END",
        "try_cast(price AS DOUBLE) > 3 AND coalesce(n, 0) % 2 = 1",
        "list_contains(list_filter(tags, lambda tag: tag <> 'x'), 'y')",
        "ts >= TIMESTAMP '2020-01-01' AND date_part('hour', ts) < 8",
        "name COLLATE NOCASE = 'é'",
        "event = 'a;b' AND note = '-- no comment' AND other = 'SELECT (1)'",
        "info.kind = 'buy'",
        "true",
    ],
)
def test_an_expression_over_columns_has_no_fault(connection, text):
    assert fault_of_expression(connection, text) is None


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("(SELECT max(x) FROM read_csv('/etc/passwd')) > 0", "a subquery"),
        ("EXISTS (FROM glob('/etc/*'))", "a subquery"),
        ("event IN (SELECT event FROM log)", "a subquery"),
        ("event = ANY (FROM read_text('/etc/passwd'))", "a subquery"),
        ("true) FROM log; COPY log TO '/tmp/stolen'; SELECT (true", "a statement of its own"),
        ("true) FROM log; INSTALL httpfs; SELECT (true", "a statement of its own"),
        ("true) FROM log; SELECT (true", "not one expression"),
        ("a)::BOOLEAN, (b", "not one expression"),
        ("true)::BOOLEAN FROM log WHERE false --", "not one expression"),
        ("true)::BOOLEAN FROM log JOIN read_text('/etc/passwd') ON true --", "not one expression"),
        ("true)::BOOLEAN FROM read_text('/etc/passwd') log --", "not one expression"),
        ("true)::BOOLEAN FROM '/etc/passwd' --", "not one expression"),
        ("true) UNION ALL SELECT (false", "not one expression"),
        ("count(*) OVER () > 1", "a window function"),
        ("sum(price) > 1", r"sum\(\)"),
        ("random() < 0.5", r"random\(\)"),
        ('"RANDOM"() < 0.5', r"random\(\)"),
        ("main.RANDOM() < 0.5", r"random\(\)"),
        ("current_setting('home_directory') = 'x'", r"current_setting\(\)"),
        ("nextval('s') > 1", r"nextval\(\)"),
        ("*", r"\*"),
        ("", "ends where more should follow"),
        ("price >", "ends where more should follow"),
        ("price > 3 -- dear", "syntax error"),
        ("price price > 3", "it is not SQL at or near 'price'"),
    ],
)
def test_anything_else_is_named(connection, text, fault):
    message = fault_of_expression(connection, text)
    assert message is not None
    assert re.search(fault, message)
