"""The text of a filter as a tree: ``category in ('toys', 'books') and not bid < 0.5``. docs/filters.md has the grammar.

A parser by recursive descent, written out: a text can become the few nodes below and nothing else, so there is no way
from it to code, SQL or a file.
"""

import re
from dataclasses import dataclass, field
from typing import NoReturn

from adi.errors import AdiError

MAX_LENGTH = 2000
"""Characters of a filter."""

MAX_DEPTH = 50
"""How many parentheses and ``not`` may be open at one place."""

MAX_CONDITIONS = 32
"""Conditions on a column. Each reads the column once for a domain's items: milliseconds for millions of them."""

Literal = str | bool | int | float


@dataclass(frozen=True)
class Leaf:
    """A condition on a column; `at` is where its name begins, from 0."""

    column: str
    at: int = field(compare=False)


@dataclass(frozen=True)
class Compare(Leaf):
    operator: str
    value: Literal


@dataclass(frozen=True)
class In(Leaf):
    values: tuple[Literal, ...]


@dataclass(frozen=True)
class Has(Leaf):
    value: Literal


@dataclass(frozen=True)
class IsNull(Leaf):
    pass


@dataclass(frozen=True)
class Not:
    part: "Expression"


@dataclass(frozen=True)
class And:
    parts: tuple["Expression", ...]


@dataclass(frozen=True)
class Or:
    parts: tuple["Expression", ...]


Expression = Compare | In | Has | IsNull | Not | And | Or


def parse(text: str) -> Expression:
    """Parse a filter; raises `AdiError` with the character, from 1, at which something else was expected."""
    if len(text) > MAX_LENGTH:
        raise AdiError(f"filter: {len(text)} characters, and {MAX_LENGTH} are the most. Shorten it.")
    if not text.isascii() and (surrogate := re.search("[\ud800-\udfff]", text)):  # half a character, as JSON may hold
        raise fault(surrogate.start(), f"{surrogate[0]!a} is no character. Remove it.")
    parser = _Parser(text)
    expression = parser.expression(0)
    if parser.kind != "end":
        parser.fail("'and', 'or' or the end")
    return expression


def fault(at: int, what: str) -> AdiError:
    """What is wrong at a place in a filter, which counts from 0."""
    return AdiError(f"filter, character {at + 1}: {what}")


_KEYWORDS = {"and", "or", "not", "in", "is", "null", "has", "true", "false"}
_OPERATORS = ("=", "!=", "<", "<=", ">", ">=")
_TOKEN = re.compile(
    r"""\s*(?:
      (?P<number> -? (?: [0-9]+ (?:\.[0-9]*)? | \.[0-9]+ ) (?:[eE][+-]?[0-9]+)? (?![\w.]) )
    | (?P<word>   [^\W\d]\w* (?:\.\w+)* )
    | (?P<name>   "(?:[^"]|"")*" )
    | (?P<text>   '(?:[^']|'')*' )
    | (?P<symbol> <=|>=|!=|[=<>(),] )
    | (?P<end>    \Z )
    )""",
    re.VERBOSE,
)


class _Parser:
    """Reads a filter token by token: the next one is `kind`, `token` and begins at `at`."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.next = self.conditions = 0
        self.advance()

    def advance(self) -> None:
        found = _TOKEN.match(self.text, self.next)
        if found is None:
            self._unreadable()
        self.kind = str(found.lastgroup)
        self.token = found[self.kind]
        self.at, self.next = found.start(self.kind), found.end()
        if self.kind == "word" and self.token.lower() in _KEYWORDS:
            self.kind, self.token = "keyword", self.token.lower()

    def expression(self, depth: int) -> Expression:
        parts = [self._term(depth)]
        while self._take("or"):
            parts.append(self._term(depth))
        return parts[0] if len(parts) == 1 else Or(tuple(parts))

    def _term(self, depth: int) -> Expression:
        parts = [self._factor(depth)]
        while self._take("and"):
            parts.append(self._factor(depth))
        return parts[0] if len(parts) == 1 else And(tuple(parts))

    def _factor(self, depth: int) -> Expression:
        if depth > MAX_DEPTH:
            raise fault(self.at, f"over {MAX_DEPTH} parentheses and 'not' are open here. Write it flatter.")
        if self._take("not"):
            return Not(self._factor(depth + 1))
        if self._take("("):
            inner = self.expression(depth + 1)
            self._expect(")", "'and', 'or' or ')'")
            return inner
        return self._condition()

    def _condition(self) -> Expression:
        if self.kind not in ("word", "name"):
            self.fail("a column, 'not' or '('")
        self.conditions += 1
        if self.conditions > MAX_CONDITIONS:
            raise fault(self.at, f"over {MAX_CONDITIONS} conditions. Ask for several values of a column with 'in'.")
        column = self.token if self.kind == "word" else self.token[1:-1].replace('""', '"')
        at = self.at
        self.advance()
        if self.kind == "symbol" and self.token in _OPERATORS:
            operator = self.token
            self.advance()
            return Compare(column, at, operator, self._literal())
        if self._take("has"):
            return Has(column, at, self._literal())
        if self._take("is"):
            negated = self._take("not")
            self._expect("null", "'null'" if negated else "'null' or 'not null'")
            return Not(IsNull(column, at)) if negated else IsNull(column, at)
        negated = self._take("not")
        self._expect("in", "'in'" if negated else f"one of {' '.join(_OPERATORS)} in, not in, is, has")
        self._expect("(", "'('")
        values = [self._literal()]
        while self._take(","):
            values.append(self._literal())
        self._expect(")", "',' or ')'")
        return Not(In(column, at, tuple(values))) if negated else In(column, at, tuple(values))

    def _literal(self) -> Literal:
        kind, token = self.kind, self.token
        if kind == "keyword" and token in ("true", "false"):
            value: Literal = token == "true"
        elif kind == "text":
            value = token[1:-1].replace("''", "'")
        elif kind == "number":
            value = self._number(token)
        else:
            hint = ""
            if kind == "word":
                hint = f" Put a text in single quotes: '{token}'."
            elif token == "null":
                hint = " Ask for what is missing with 'is null'."
            self.fail("a number, a text in single quotes, true or false", hint)
        self.advance()
        return value

    def _number(self, token: str) -> int | float:
        """A whole number where it is one of 64 bits, else floating-point."""
        if re.fullmatch("-?[0-9]+", token) and -(2**63) <= int(token) < 2**63:
            return int(token)
        number = float(token)
        if number in (float("inf"), -float("inf")):
            raise fault(self.at, "the number is too large.")
        return number

    def _take(self, token: str) -> bool:
        """Go past the next token if it is this keyword or symbol."""
        found = self.kind in ("keyword", "symbol") and self.token == token
        if found:
            self.advance()
        return found

    def _expect(self, token: str, what: str) -> None:
        if not self._take(token):
            self.fail(what)

    def fail(self, expected: str, hint: str = "") -> NoReturn:
        found = "the end" if self.kind == "end" else self.token[:40]
        raise fault(self.at, f"expected {expected}, found {found}.{hint}")

    def _unreadable(self) -> NoReturn:
        rest = self.text[self.next :].lstrip()
        at = len(self.text) - len(rest)
        if opened := {"'": "text", '"': "column"}.get(rest[0]):
            raise fault(at, f"the {opened} that begins here has no closing {rest[0]}")
        raise fault(at, f"{rest[:20]!a} cannot be read: neither a column, a number, a text in quotes nor a comparison.")
