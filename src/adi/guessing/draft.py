"""A first ``schema.yaml``, guessed from tables, with comments on what they hold: the output of ``adi init``."""

import os
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import duckdb
import yaml

from adi.documents import parse_document
from adi.engines.stores import is_remote
from adi.engines.tables import TableFiles, quoted
from adi.errors import ArgumentError
from adi.guessing.display import guess_display
from adi.guessing.features import OUTCOME_WORDS, FeatureGuess, guess_context, guess_feature
from adi.guessing.folders import tables_in
from adi.guessing.half_lives import half_lives
from adi.guessing.notes import notes_on_holes, notes_on_values, refuse_values_as_names
from adi.guessing.profiles import Column, TableProfile, counted, plain, read_profile, shares
from adi.guessing.repeats import guess_repeats
from adi.guessing.roles import MOST_DOMAINS, Key, Roles, find_key, find_roles, noun_of
from adi.schema import Schema


class Draft(NamedTuple):
    """The `text` of a schema, and `notes`: what its author should know before it is used, a sentence or two each."""

    text: str
    notes: Sequence[str]


def guess_schema(
    tables: Sequence[str | Path],
    folder: str | Path,
    *,
    user: str | None = None,
    item: str | None = None,
    domain: str | None = None,
    time: str | None = None,
    positive: str | None = None,
) -> Draft:
    """A schema for tables, to be written into `folder`, to which its paths are relative, but for those in a store.

        Path("schema.yaml").write_text(guess_schema(["clicks.parquet", "users.csv"], ".").text)

    Args:
        tables: the log, and tables of users and items: files, globs or folders of parts, also at addresses in a store.
        folder: the folder of the schema.
        user, item, domain, time: the log's columns, where the guess fails or is wrong.
        positive: an SQL expression over the log's columns for the rows that count, in place of a guess.

    Raises:
        ArgumentError: if the log or one of its columns is not found; the parameter is the column's role.
        AdiError: for tables that cannot be read, and a `positive` that cannot be evaluated on the log.
    """
    if not tables:
        raise ArgumentError(
            "tables", "none; give the log of the interactions, and the tables of users and items if there are any."
        )
    named = {"user": user, "item": item, "domain": domain, "time": time}
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        profiles = []
        paths = [str(table) for table in tables]
        if domain is None:
            paths = [path for given in paths for path in tables_in(connection, given)]
        for number, table in enumerate(paths):
            files = TableFiles.at(table, Path())
            refuse_values_as_names(files, files.columns(connection))
            path = table if is_remote(table) else Path(os.path.relpath(table, folder)).as_posix()
            profiles.append(read_profile(connection, files, path=path, sample=f"sample {number}"))
        roles = find_roles(connection, profiles, named)
        keys = {table.path: find_key(connection, table, roles) for table in profiles if table is not roles.log}
        context = guess_context(connection, roles)
        active = positive if positive is not None else _certain_positive(roles.log)
        categories = [guess.column.name for guess in context if guess.kind == "categorical" and guess.doubt is None]
        repeats = guess_repeats(connection, roles, active, categories)
        writer = _Writer(roles, profiles, keys, positive)
        text = writer.text(context, *repeats)
    Schema.model_validate(parse_document(text, "schema"))  # a guess that is not a valid schema is a bug
    return Draft(text, [*writer.notes, *notes_on_holes(roles), *notes_on_values(profiles, roles)])


class _Writer:
    """Writes the sections of a schema; `names` has the names of features so far, which are unique."""

    def __init__(
        self, roles: Roles, tables: Iterable[TableProfile], keys: Mapping[str, Key | str], positive: str | None
    ) -> None:
        self.roles, self.positive = roles, positive
        keyed = [(table, keys[table.path]) for table in tables if table is not roles.log]
        self.others = [(table, key) for table, key in keyed if isinstance(key, Key)]
        unused = [(table, f"{key} {self._remedy(table)}") for table, key in keyed if isinstance(key, str)]
        self._unused = [f"# {table_comment(table)}: not used. {reason}" for table, reason in unused]
        self.notes = [f"{table.table} is not used. {reason}" for table, reason in unused]
        guesses = [guess for column in roles.log.columns.values() if (guess := positive_expression(column))]
        if guesses and positive is None and not any(certain for _, certain in guesses):
            self.notes.append(
                f"Every row of the log counts. If only some should, say so in the schema: positive: {guesses[0][0]}"
            )
        self.names = {"domain", "history", "history_here"}
        self.item_id = self._name(roles.item.name, "item")

    def text(self, context: Sequence[FeatureGuess], duplicates: Sequence[str], repeats: Sequence[str]) -> str:
        """The schema; `duplicates` and `repeats` are lines for `interactions` and for its end."""
        log = self.roles.log
        tables: list[str] = []
        features: dict[str, list[str]] = {
            "user": [
                "- {name: history, kind: behaviours, length: 50}  # the user's earlier items, in every domain",
                "- {name: history_here, kind: behaviours, length: 20, domain: same}  # ... and in this domain",
            ],
            "item": [f"- {{name: {scalar(self.item_id)}, kind: id}}"],
        }
        table_names: set[str] = set()
        names: dict[str, str] = {}  # by path
        for table, key in self.others:
            name = names[table.path] = _unique(identifier(_stem(table), "table"), table_names)
            columns = scalar(key.columns[0] if len(key.columns) == 1 else list(key.columns))
            note = f"{table.summary()}; it has {key.covered:.0%} of the log's {key.side}s".replace("%", " %")
            tables.append(f"{scalar(name)}: {{path: {scalar(table.path)}, key: {columns}}}  # {note}")
            guesses = [guess_feature(column) for column in table.columns.values() if column.name not in key.columns]
            features[key.side] += [self._feature(guess, name, name) for guess in guesses]
        tables += self._unused
        lines = [
            "# A first schema, guessed by 'adi init' from names, types and values: read it before 'adi prepare'.",
            "# Lines in doubt are comments, with the reason.",
            "",
            *self._domains(),
            "",
            "interactions:",
            f"  path: {scalar(log.path)}  # {log.summary()}",
            *self._identity(),
            *self._positive(),
            *duplicates,
            "",
        ]
        if self.others:
            lines.append("tables:")
        lines += [f"  {line}" for line in tables] + ([""] if tables else [])
        lines.append("features:")
        for side in ("user", "item"):
            lines += [f"  {side}:", *(f"    {line}" for line in features[side])]
        rows = [self._feature(guess, "context", None) for guess in context]
        if rows:
            used = any(not row.startswith("#") for row in rows)
            lines.append(
                f"  {'' if used else '# '}context:  # columns of the log; remove what is not known before the click"
            )
            lines += [f"    {row}" for row in rows]
        lines += ["", *self._display(names), *self._corpus(), *self._trend(), *self._split(), *repeats]
        return "\n".join(lines) + "\n"

    def _domains(self) -> list[str]:
        column, counts = self.roles.domain, self.roles.domains
        lines = ["domains:"]
        if len(counts) > MOST_DOMAINS:
            lines.append(f"  column: {scalar(column.name)}  # more than {MOST_DOMAINS} values")
        else:
            lines.append(f"  column: {scalar(column.name)}  # {counted(len(counts), 'value')}: {shares(counts)}")
            lines.append(f"  values: {scalar(list(counts))}")
        if self.roles.others:
            others = ", ".join(f"{plain(c.name)} ({counted(c.distinct, 'value')})" for c in self.roles.others)
            lines.append(f"  # could be the domain too: {others}")
        return lines

    def _identity(self) -> list[str]:
        roles = self.roles
        lines = [
            f"  {side}: {scalar(c.name)}  # {c.summary()}" for side, c in (("user", roles.user), ("item", roles.item))
        ]
        if roles.time is None:
            return [*lines, "  # time: no column looks like one; without it the rows of a user are in no order"]
        return [*lines, f"  time: {scalar(roles.time.name)}  # {roles.time.type}, {roles.time.summary()}"]

    def _positive(self) -> list[str]:
        """Expressions for the positive rows that the columns suggest, all but one as comments."""
        if self.positive is not None:
            return [f"  positive: {scalar(self.positive)}"]
        lines: list[str] = []
        active = False
        for column in self.roles.log.columns.values():
            guess = positive_expression(column)
            if guess is not None:
                expression, certain = guess
                lines.append(
                    f"  {'# ' if active or not certain else ''}positive: {scalar(expression)}  # {column.summary()}"
                )
                active = active or certain
        return lines if active or not lines else [*lines, "  # without 'positive' every row is one"]

    def _feature(self, guess: FeatureGuess, prefix: str, table: str | None) -> str:
        """A line of `features:`, a comment if there is a doubt."""
        column = guess.column
        if guess.kind is None:
            return f"# {plain(column.name)}: {guess.column.summary()}: {guess.doubt}"
        name = self._name(column.name, prefix)
        settings = [f"name: {scalar(name)}", f"kind: {guess.kind}"]
        settings += [f"table: {scalar(table)}"] if table else []
        settings += [f"column: {scalar(column.name)}"] if name != column.name else []
        settings += [f"separator: {scalar(column.separator)}"] if column.separator and guess.kind == "multi" else []
        line = f"- {{{', '.join(settings)}}}  # {guess.column.summary()}"
        return f"# {line}: {guess.doubt}" if guess.doubt else line

    def _remedy(self, table: TableProfile) -> str:
        """The use that a table without a key could have."""
        roles = self.roles
        if roles.user.name in table.columns and roles.item.name in table.columns:
            return (
                "If it is a part of the log, give the parts as a folder or as a quoted glob: adi init 'log/*.parquet'; "
                "with the domain in their names, adi init 'log_{domain}.parquet'. "
                "If it is its test part: split: {kind: files, test: " + scalar(table.path) + "}"
            )
        return (
            f"A feature table has one row for each {plain(roles.user.name)} or {plain(roles.item.name)} of the log, or "
            f"for each of these and {plain(roles.domain.name)}."
        )

    def _display(self, names: Mapping[str, str]) -> list[str]:
        """The title and the picture of items, of the first table of items that has either; `names` are by path."""
        for table, key in self.others:
            if key.side == "item" and (shown := guess_display(table, key.columns)):
                settings = [f"table: {scalar(names[table.path])}", *(f"{k}: {scalar(c)}" for k, c in shown.items())]
                return [f"display: {{{', '.join(settings)}}}  # how reports and the explorer show items"]
        return []

    def _corpus(self) -> list[str]:
        """A comment for each table by item and domain, which could be the corpus."""
        lines = []
        for table, key in self.others:
            if key.side == "item" and len(key.columns) == 2:
                item, domain = key.columns
                settings = f"{{path: {scalar(table.path)}, item: {scalar(item)}, domain: {scalar(domain)}}}"
                lines.append(f"# corpus: {settings}  # if it lists all items of a domain; else those seen in training")
        return lines

    def _trend(self) -> list[str]:
        """A comment with counters of clicks by time, whose half-lives suit the log."""
        time = self.roles.time
        if time is None or time.form != "time":
            return []
        lives = half_lives(time.low, time.high, self.roles.log.rows)
        if not lives:
            return []
        middle = lives[len(lives) // 2 : len(lives) // 2 + 2]
        further = f"co_clicks: {{half_lives: {scalar(middle)}}}, audience: {{half_lives: {scalar(middle[-1:])}}}"
        return [
            "# If what is popular changes within the log, counters of clicks make models know what is clicked now.",
            f"# trend: {{half_lives: {scalar(lives)}, delay: 1m, {further}}}",
        ]

    def _split(self) -> list[str]:
        if self.roles.time is None:
            return ["split: {kind: last}  # the last row of each user and domain; or {kind: random, share: 0.1}"]
        return ["split: {kind: last}  # the last row of each user and domain; or {kind: time, at: ...}"]

    def _name(self, column: str, prefix: str) -> str:
        """A valid name for the feature of a column, which no other feature has."""
        name = identifier(column, "column")
        return _unique(name if name.lower() not in self.names else f"{prefix}_{name}", self.names)


def positive_expression(column: Column) -> tuple[str, bool] | None:
    """An expression for `interactions.positive` that a column suggests, and whether it is certain."""
    if not column.filled:
        return None
    name, noun = column.name, noun_of(column.name, OUTCOME_WORDS)
    reference = name if re.fullmatch(r"[a-z_][a-z0-9_]*", name) else quoted(name)
    if noun in {"click", "clicked", "clk", "label", "target", "purchased", "converted", "liked"}:
        if column.form == "boolean" and column.distinct == 2:
            return reference, True
        if column.form == "integer" and set(column.values) == {"0", "1"}:
            return f"{reference} = 1", True
    if noun in {"rating", "stars", "score"} and column.form in ("integer", "decimal") and 1 < float(column.high) <= 10:
        return f"{reference} >= {0.8 * float(column.high):g}", False
    if noun in {"event", "action", "behavior", "behaviour"} and column.form == "text" and 2 <= len(column.values) <= 20:
        rarest = list(column.values)[-1].replace("'", "''")
        return f"{reference} = '{rarest}'", False
    return None


def _certain_positive(log: TableProfile) -> str | None:
    """The expression that is certain, of the first column that suggests one."""
    guesses = [guess for column in log.columns.values() if (guess := positive_expression(column))]
    return next((expression for expression, certain in guesses if certain), None)


def scalar(value: str | Sequence[str]) -> str:
    """A value as YAML on one line, quoted if necessary."""
    if not isinstance(value, str):
        return f"[{', '.join(scalar(each) for each in value)}]"
    style = None if value.isprintable() else '"'
    dumped: str = yaml.safe_dump([value], default_flow_style=True, default_style=style, width=10**9, allow_unicode=True)
    return dumped.strip()[1:-1]


def identifier(text: str, default: str) -> str:
    """A name of the letters (without accents), digits and underscores of a text; `default` if it has none."""
    letters = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    name = re.sub(r"[^A-Za-z0-9_]+", "_", letters).strip("_") or default
    return name if not name[0].isdigit() else f"{default}_{name}"


def table_comment(table: TableProfile) -> str:
    """A table's path and rows, for a comment."""
    return f"{plain(table.path, width=60)}, {table.summary()}"


def _unique(name: str, names: set[str]) -> str:
    """The name, with a number if it is among `names`, to which it is added."""
    unique, number = name, 2
    while unique.lower() in names:
        unique, number = f"{name}_{number}", number + 1
    names.add(unique.lower())
    return unique


def _stem(table: TableProfile) -> str:
    """The name for a table: that of its file without suffixes, or of the folder if the path is a glob."""
    parts = [part for part in Path(table.path).parts if not set(part) & set("*?[{")]
    return parts[-1].split(".")[0] if parts else "table"
