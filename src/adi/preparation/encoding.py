"""The features of users and items, from their tables to codes on disk; each kind's arrays are in `adi.features`."""

from collections.abc import Callable, Mapping
from pathlib import Path

import ibis
import pyarrow as pa
from ibis import _

from adi.data.manifest import FeatureInfo
from adi.engines.engine import Engine
from adi.errors import AdiError
from adi.features.kind import FeatureColumn, Side
from adi.features.kinds import KINDS
from adi.preparation.entities import SIDES, Entities
from adi.preparation.feature_table import FeatureTable
from adi.preparation.splitting import TEST, TRAIN
from adi.schema import ColumnFeature, Schema


class TableColumns:
    """Reads the columns of feature tables by the numbers of their entities, and of domains where a table is by domain.

    `read` has the rows of each of the `tables`, by name.
    """

    def __init__(
        self,
        engine: Engine,
        entities: Mapping[str, Entities],
        domains: tuple[str, ...],
        tables: Mapping[str, FeatureTable],
        read: Mapping[str, ibis.Table],
    ) -> None:
        self.engine, self.entities = engine, entities
        self.domains = pa.table({"domain": domains, "domain_number": pa.array(range(len(domains)), pa.int32())})
        self.tables, self.read = tables, read
        self._numbered: dict[str, ibis.Table] = {}

    def __call__(self, feature: ColumnFeature) -> FeatureColumn:
        """The column that a feature names. Raises `AdiError` if all its values are missing."""
        table = self.tables[str(feature.table)]
        numbered = self._by_number(table)
        values = numbered.select(index=_.index, domain_number=_.domain_number, value=numbered[f"value_{feature.name}"])
        source = table.source(feature.source_column)
        if values.filter(_.value.notnull()).count().to_pyarrow().as_py() == 0:
            raise AdiError(
                f"{source}: every value{' of a domain of the log' if table.by_domain else ''} is missing. "
                f"Remove feature '{feature.name}', or mend the column."
            )
        return FeatureColumn(values, source, table.by_domain)

    def _by_number(self, table: FeatureTable) -> ibis.Table:
        """The table joined to the entities, once for all its features."""
        if table.name not in self._numbered:
            keyed = self.read[table.name].join(self.entities[table.side].table, "key")
            if table.by_domain:
                keyed = keyed.join(ibis.memtable(self.domains), "domain")
            else:
                keyed = keyed.mutate(domain_number=ibis.literal(0))
            columns = [f"value_{feature.name}" for feature in table.features]
            numbered = keyed.select("index", "domain_number", *columns)
            self._numbered[table.name] = self.engine.store(f"numbered_{table.name}", numbered)
        return self._numbered[table.name]


def encode_features(
    schema: Schema,
    rows: ibis.Table,
    columns: TableColumns,
    out: Path,
    ignored: dict[str, int],
    say: Callable[[str, int, int], None],
) -> list[FeatureInfo]:
    """Encode the features of users and then of items, in the schema's order, into the folders of `out`.

    `rows` is the log in numbers with its `part`. `ignored` gets the number of values that were read as missing though
    they are there, by feature.
    """
    item_id = next((feature.name for feature in schema.features.item if feature.kind == "id"), None)
    sides = {}
    for side in SIDES:
        entities = columns.entities[side]
        counted = rows.filter(_.part != TEST)
        weights = counted.group_by(index=rows[side]).agg(weight=_.count(), trained=(_.part == TRAIN).sum())
        sides[side] = Side(
            name=side,
            size=entities.size,
            num_domains=len(columns.domains),
            ids=entities.table.select(index=_.index, domain_number=ibis.literal(0), value=_.key),
            counted_ids=weights.join(entities.table, "index").rename(value="key"),
            column=columns,
            item_id=item_id,
            folder=out / "features" / side,
            vocabularies=out / "vocabulary",
            held_out_ids=out / "held_out_ids",
            ignored=ignored,
            engine=columns.engine,
        )
    features = [(sides["user"], feature) for feature in schema.features.user]
    features += [(sides["item"], feature) for feature in schema.features.item]
    infos = []
    for done, (prepared_side, feature) in enumerate(features):
        say("features", done, len(features))
        infos.append(KINDS[feature.kind].encode(feature, prepared_side))
    say("features", len(features), len(features))
    return infos
