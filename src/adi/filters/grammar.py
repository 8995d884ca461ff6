"""Parser of filters: ``category in ('toys', 'books') and not bid < 0.5`` as a tree; docs/filters.md has the grammar.

Recursive descent without dependencies: a text can become the few nodes below and nothing else, never code, SQL or a
file name.
"""

import re
from dataclasses import dataclass, field
from typing import NoReturn

from adi.errors import AdiError

MAX_LENGTH = 2000
"""The most characters of a filter."""

MAX_DEPTH = 50
"""The most parentheses and ``not`` that may be open at once."""

MAX_CONDITIONS = 32
"""The most conditions on columns. Each reads its column once for all items of a domain: milliseconds for millions."""

Literal = str | bool | int | float


@dataclass(frozen=True)
class Condition:
    """A condition on a column, whose name begins at the character `at`, counted from 0."""

    column: str
    at: int = field(compare=False)


@dataclass(frozen=True)
class Compare(Condition):
    operator: str
    value: Literal


@dataclass(frozen=True)
class In(Condition):
    values: tuple[Literal, ...]


@dataclass(frozen=True)
class Has(Condition):
    value: Literal


@dataclass(frozen=True)
class IsNull(Condition):
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
    """Parse a filter; raises `AdiError` for a syntax error, with the character (from 1) and what was expected there."""
    if len(text) > MAX_LENGTH:
        raise AdiError(f"filter: {len(text)} characters, and {MAX_LENGTH} are the most. Shorten it.")
    if not text.isascii() and (
        surrogate := re.search("[\ud800-\udfff]", text)
    ):  # half a character, which JSON may contain
        raise error_at(surrogate.start(), f"{surrogate[0]!a} is not a character. Remove it.")
    parser = _Parser(text)
    expression = parser.expression(0)
    if parser.kind != "end":
        parser.fail("'and', 'or' or the end")
    return expression


def error_at(at: int, message: str) -> AdiError:
    """Return the error at a character of a filter, counted from 0."""
    return AdiError(f"filter, character {at + 1}: {message}")


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
    """Reads a filter token by token; the next one is `token`, of the kind `kind`, and begins at `at`."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.next = self.conditions = 0
        self.advance()

    def advance(self) -> None:
        match = _TOKEN.match(self.text, self.next)
        if match is None:
            self._fail_unreadable()
        self.kind = str(match.lastgroup)
        self.token = match[self.kind]
        self.at, self.next = match.start(self.kind), match.end()
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
            raise error_at(self.at, f"over {MAX_DEPTH} parentheses and 'not' are open here. Write it flatter.")
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
            raise error_at(self.at, f"over {MAX_CONDITIONS} conditions. Ask for several values of a column with 'in'.")
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
        """Parse an integer if it fits into 64 bits, else a floating-point number."""
        if re.fullmatch("-?[0-9]+", token) and -(2**63) <= int(token) < 2**63:
            return int(token)
        number = float(token)
        if number in (float("inf"), -float("inf")):
            raise error_at(self.at, "the number is too large.")
        return number

    def _take(self, token: str) -> bool:
        """Return whether the next token is this keyword or symbol, and advance if so."""
        matches = self.kind in ("keyword", "symbol") and self.token == token
        if matches:
            self.advance()
        return matches

    def _expect(self, token: str, expected: str) -> None:
        if not self._take(token):
            self.fail(expected)

    def fail(self, expected: str, hint: str = "") -> NoReturn:
        token = "the end" if self.kind == "end" else self.token[:40]
        raise error_at(self.at, f"expected {expected}, found {token}.{hint}")

    def _fail_unreadable(self) -> NoReturn:
        rest = self.text[self.next :].lstrip()
        at = len(self.text) - len(rest)
        if quoted := {"'": "text", '"': "column"}.get(rest[0]):
            raise error_at(at, f"the {quoted} that begins here has no closing {rest[0]}")
        raise error_at(
            at, f"{rest[:20]!a} cannot be read: neither a column, a number, a text in quotes nor a comparison."
        )
