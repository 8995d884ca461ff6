"""A feature table of the schema: checked, then read with its keys as text.

An item table is read with all its columns, for they are the items' attributes (`adi.preparation.attributes`). A column
that a feature names is of the feature's kind: text where it is categorical, whatever the file has ("007" is not 7), a
list of text where it is multi. Others are what the file has, as text, whole or floating-point numbers, booleans, dates,
timestamps and lists of these; any other type becomes text. An empty text, NaN and infinities are missing values.
"""

from collections.abc import Collection, Sequence

import ibis
from ibis import _

from adi.engines.engine import Engine
from adi.engines.tables import Connection, RawTable, quoted
from adi.errors import AdiError, shown
from adi.features.categorical import require_single
from adi.features.kinds import KINDS
from adi.features.numeric import finite_sql, is_number
from adi.preparation.display import shown_columns
from adi.preparation.set_aside import LEFT_OUT, NO_KEY, UNKNOWN_DOMAIN
from adi.schema import ColumnFeature, Feature, Schema, Sourced


class FeatureTable:
    """A table that features or `display` name: `columns` has their DuckDB types, `side` says whose features they are.

    Raises `AdiError` where a column is missing or of a type that its feature cannot take, before any row is read.
    """

    def __init__(self, connection: Connection, name: str, schema: Schema, table: RawTable) -> None:
        self.name, self.table = name, table
        self.key = schema.tables[name].key
        of_users, of_items = (features_of(name, side) for side in (schema.features.user, schema.features.item))
        if of_users and of_items:
            raise AdiError(
                f"tables.{name}: its key is a user or an item, and features of both sides name it "
                f"('{of_users[0].name}' of users, '{of_items[0].name}' of items). Give each side its table."
            )
        self.side = "user" if of_users else "item"
        shown_by = shown_columns(schema.display, name)
        if shown_by and of_users:
            raise AdiError(f"display.table: '{name}' is a table of users. Name the table that has the items' titles.")
        self.features = of_users or of_items
        wanted = dict.fromkeys(self.key, f"tables.{name}.key")
        wanted |= {column: f"display.{shown}" for shown, column in shown_by.items()}
        wanted |= {feature.source_column: f"feature '{feature.name}'" for feature in self.features}
        self._shown = set(shown_by.values())
        text = {feature.source_column for feature in self.features if KINDS[feature.kind].text}
        self._text = {*self.key, *text, *self._shown}
        self.columns = table.columns(connection, wanted, self._text)
        for column in self.key:
            require_single(self.columns[column], self.source(column), wanted[column])
        for feature in self.features:
            column = feature.source_column
            kind = KINDS[feature.kind]
            kind.check(feature, self.columns[column], self.source(column), by_domain=self.by_domain)

    @property
    def by_domain(self) -> bool:
        return len(self.key) == 2

    @property
    def key_roles(self) -> dict[str, str]:
        """The columns of the table as read that hold its key, with their names in the user's table."""
        return dict(zip(("key", "domain"), self.key, strict=False))

    @property
    def attributes(self) -> list[str]:
        """The columns that are kept as they are: of an item table, all but the key."""
        return [column for column in self.columns if column not in self.key] if self.side == "item" else []

    def read(self, engine: Engine) -> ibis.Table:
        """The table with its keys as text in the columns `key` and `domain`; refuses a key that comes twice.

        Each feature's value is in the column ``value_<feature>``, each attribute in the one that `attribute_column`
        names.
        """
        selected = {role: f"nullif({quoted(column)}::VARCHAR, '')" for role, column in self.key_roles.items()}
        for feature in self.features:
            value = KINDS[feature.kind].value_sql(feature, quoted(feature.source_column))
            selected[f"value_{feature.name}"] = value
        for column in self.attributes:
            selected[attribute_column(column)] = self._attribute_sql(column)
        table = engine.read(f"table_{self.name}", self.table, selected, self._text)
        self._refuse_repeated_key(table)
        return table

    def source(self, column: str) -> str:
        """The place of a column in messages."""
        return f"{self.table}, column '{column}'"

    def _attribute_sql(self, column: str) -> str:
        """A column as the type that it is kept in: what one of its features makes of it, else text or its own."""
        features = [feature for feature in self.features if feature.source_column == column]
        text = column in self._shown or any(KINDS[feature.kind].text for feature in features)
        for feature in features:
            if kept := KINDS[feature.kind].attribute_sql(feature, quoted(column), text=text):
                return kept
        return _kept_sql(quoted(column), "VARCHAR" if text else self.columns[column])

    def _refuse_repeated_key(self, table: ibis.Table) -> None:
        roles = list(self.key_roles)
        keyed = table.drop_null(roles)
        repeated = keyed.group_by(roles).agg(rows=_.count()).filter(_.rows > 1).order_by(roles)
        for key in repeated.limit(1).to_pyarrow().to_pylist():
            same = keyed.filter([keyed[role] == key[role] for role in roles]).order_by("file", "file_row")
            first, second = same.select("file", "file_row").limit(2).to_pyarrow().to_pylist()
            again = "" if first["file"] == second["file"] else f"{first['file']}, "
            values = ", ".join(f"{column} = {shown(key[role])}" for role, column in self.key_roles.items())
            raise AdiError(
                f"{second['file']}, row {second['file_row']}: the key {values} is on {key['rows']} rows, first on "
                f"{again}row {first['file_row']}. tables.{self.name} needs one row for each key; drop the others."
            )


def attribute_column(name: str) -> str:
    """The column of an attribute in a table as read, apart from the table's key and features."""
    return f"attribute_{name}"


def features_of(table: str, features: Sequence[Feature]) -> list[ColumnFeature]:
    """Those of the features that are columns of a table."""
    return [feature for feature in features if isinstance(feature, Sourced) and feature.table == table]


def with_reasons(
    table: ibis.Table, keys: Collection[str], domains: tuple[str, ...], left_out: tuple[str, ...]
) -> ibis.Table:
    """A table beside the log with a `reason` on the rows to set aside.

    A row with a part of its key missing, or of a domain that the log does not have, or that is left out, describes
    nothing.
    """
    reasons = [(table[key].isnull(), NO_KEY) for key in keys]
    if "domain" in keys:
        reasons.append((table.domain.isin(left_out), LEFT_OUT))
        reasons.append((~table.domain.isin(domains), UNKNOWN_DOMAIN))
    return table.mutate(reason=ibis.cases(*reasons))


def _kept_sql(value: str, column_type: str) -> str:
    """SQL for `value`, of a DuckDB type, in one of the few types that attributes have."""
    if column_type.endswith("[]"):
        element = column_type.removesuffix("[]")
        plain = is_number(element) and not element.startswith(("DECIMAL", "HUGE", "UHUGE"))
        return value if plain else f"({value})::VARCHAR[]"
    if column_type in ("FLOAT", "DOUBLE"):
        return finite_sql(value)
    if column_type.startswith("DECIMAL") or column_type in ("HUGEINT", "UHUGEINT"):
        return f"({value})::DOUBLE"
    if is_number(column_type) or column_type == "DATE" or column_type.startswith("TIMESTAMP"):
        return value
    return f"nullif(({value})::VARCHAR, '')"
