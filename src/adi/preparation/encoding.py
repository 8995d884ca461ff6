"""Features as arrays on disk: a code for each user or item (and domain), or lists as values and offsets.

A single-valued feature is ``<name>.npy`` of shape (entities,), or (entities, domains) for a feature by domain; a multi
feature is ``<name>.values.npy`` and ``<name>.offsets.npy``. What no row of a table says is missing (row 0).
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import ibis
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from ibis import _
from ibis.backends.duckdb import Backend

from adi.data.arrays import Array, ArrayWriter
from adi.data.codes import bucket
from adi.data.manifest import FIRST_VALUE_ROW, FeatureInfo
from adi.errors import AdiError
from adi.preparation.feature_table import FeatureTable
from adi.preparation.splitting import TRAIN
from adi.preparation.tables import shown
from adi.preparation.vocabulary import bucket_edges, count_values, hash_values, look_up
from adi.schema import BehavioursFeature, CategoricalFeature, IdFeature, MultiFeature, NumericFeature, Schema, Sourced

ROWS_PER_BATCH = 1 << 18


class Encoder:
    """Writes the arrays of features below `out`, their vocabularies beside them.

    `entities` maps a side ("user", "item") to its table (index, key), `sizes` to the number of its rows.
    """

    def __init__(
        self,
        connection: Backend,
        out: Path,
        domains: tuple[str, ...],
        entities: dict[str, ibis.Table],
        sizes: dict[str, int],
    ) -> None:
        self.connection, self.out, self.domains = connection, out, domains
        self.entities, self.sizes = entities, sizes
        self.ignored: dict[str, int] = {}
        self._made: set[str] = set()

    def encode_id(self, feature: IdFeature, side: str, used: ibis.Table) -> FeatureInfo:
        """The id itself; `used` holds in `value` the id of each training interaction, for the vocabulary's counts."""
        values = self.entities[side].select(index=_.index, place=ibis.literal(0), value=_.key)
        coded, rows = self._code(feature, values, used)
        self._fill(side, feature.name, coded, by_domain=False)
        return FeatureInfo(name=feature.name, side=side, kind="id", rows=rows, hash_size=feature.hash_size)

    def encode(self, feature: Sourced, side: str, table: FeatureTable, read: ibis.Table) -> FeatureInfo:
        """A column of a feature table, joined to the side's entities and, for a table by domain, to the domains."""
        place = f"{shown(table.files)}, column '{feature.source_column}'"
        numbered = self._numbered(side, table, read)
        values = numbered.select(index=_.index, place=_.place, value=numbered[f"value_{feature.name}"])
        if _scalar(values.filter(_.value.notnull()).count()) == 0:
            raise AdiError(
                f"{place}: every value{' of a domain of the log' if table.by_domain else ''} is missing. "
                f"Remove feature '{feature.name}', or mend the column."
            )
        if isinstance(feature, NumericFeature):
            return self._encode_numeric(feature, side, values, place, table.by_domain)
        if isinstance(feature, MultiFeature):
            return self._encode_multi(feature, side, values)
        if not isinstance(feature, CategoricalFeature):
            raise TypeError(f"{feature.name}: no encoding for {type(feature).__name__}")
        coded, rows = self._code(feature, values, values)
        self._fill(side, feature.name, coded, by_domain=table.by_domain)
        return FeatureInfo(
            name=feature.name,
            side=side,
            kind="categorical",
            rows=rows,
            by_domain=table.by_domain,
            hash_size=feature.hash_size,
        )

    def _numbered(self, side: str, table: FeatureTable, read: ibis.Table) -> ibis.Table:
        """A feature table by the numbers of its entities, and of its domains as `place`: once for all its features."""
        name = f"numbered_{table.name}"
        if name not in self._made:
            keyed = read.join(self.entities[side], "key")
            if table.by_domain:
                names = pa.table({"domain": self.domains, "place": pa.array(range(len(self.domains)), pa.int32())})
                keyed = keyed.join(ibis.memtable(names), "domain")
            else:
                keyed = keyed.mutate(place=ibis.literal(0))
            columns = [f"value_{feature.name}" for feature in table.features]
            self.connection.create_table(name, keyed.select("index", "place", *columns))
            self._made.add(name)
        return self.connection.table(name)

    def vocabulary(self, name: str, values: ibis.Table, min_count: int) -> tuple[ibis.Table, int]:
        """Count, number and write a vocabulary; returns it and the size of its embedding table."""
        vocabulary = count_values(self.connection, values, min_count, f"vocabulary_{name}")
        path = self.out.parent / "vocabulary" / f"{name}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        content = vocabulary.order_by("code").to_pyarrow()
        pq.write_table(content, path)
        return vocabulary, content.num_rows + FIRST_VALUE_ROW

    def count_ignored(self, name: str, values: ibis.Table) -> None:
        """Count the numbers that are read as missing: NaN and infinities."""
        if broken := _scalar(values.filter(_.value.isnan() | _.value.isinf()).count()):
            self.ignored[name] = broken

    def _code(
        self, feature: IdFeature | CategoricalFeature | MultiFeature, values: ibis.Table, counted: ibis.Table
    ) -> tuple[ibis.Table, int]:
        if feature.hash_size is not None:
            return hash_values(values, feature.hash_size), feature.hash_size + FIRST_VALUE_ROW
        vocabulary, rows = self.vocabulary(feature.name, counted, feature.min_count)
        return look_up(values, vocabulary), rows

    def _encode_numeric(
        self, feature: NumericFeature, side: str, values: ibis.Table, place: str, by_domain: bool
    ) -> FeatureInfo:
        edges = bucket_edges(values, feature.buckets, feature.scale, place)
        self.count_ignored(feature.name, values)
        self._fill(side, feature.name, values.mutate(code=_.value), by_domain=by_domain, encode=bucket(edges))
        rows = len(edges) + 1 + FIRST_VALUE_ROW
        return FeatureInfo(name=feature.name, side=side, kind="numeric", rows=rows, by_domain=by_domain, edges=edges)

    def _encode_multi(self, feature: MultiFeature, side: str, values: ibis.Table) -> FeatureInfo:
        # Side by side in a select list, which the engine unnests as it streams; `Table.unnest` joins table and lists.
        places = ibis.range(0, values.value.length(), 1)
        parts = values.select("index", value=values.value.unnest(), part=places.unnest())
        self.connection.create_table(f"parts_{feature.name}", parts.filter(_.value.notnull() & (_.value != "")))
        parts = self.connection.table(f"parts_{feature.name}")
        coded, rows = self._code(feature, parts, parts)
        lengths = np.zeros(self.sizes[side] + 1, dtype=np.int64)
        with ArrayWriter(self._path(side, f"{feature.name}.values"), _scalar(parts.count()), np.int32) as writer:
            for batch in _batches(coded.order_by("index", "part").select("index", "code")):
                np.add.at(lengths, batch["index"] + 1, 1)
                writer.append(batch["code"])
        np.save(self._path(side, f"{feature.name}.offsets"), np.cumsum(lengths))
        return FeatureInfo(name=feature.name, side=side, kind="multi", rows=rows, hash_size=feature.hash_size)

    def _fill(
        self,
        side: str,
        name: str,
        coded: ibis.Table,
        *,
        by_domain: bool,
        encode: Callable[[Array], Array] | None = None,
    ) -> None:
        """Write the column `code` (or what `encode` makes of it) at (index, place) of an array that is 0 elsewhere."""
        shape = (self.sizes[side], len(self.domains) if by_domain else 1)
        array = np.lib.format.open_memmap(
            self._path(side, name), mode="w+", dtype=np.int32, shape=shape if by_domain else shape[:1]
        )
        codes = array.reshape(shape)
        for batch in _batches(coded.select("index", "place", "code")):
            codes[batch["index"], batch["place"]] = encode(batch["code"]) if encode else batch["code"]
        array.flush()

    def _path(self, side: str, name: str) -> Path:
        path = self.out / side / f"{name}.npy"
        path.parent.mkdir(parents=True, exist_ok=True)
        return path


def encode_features(
    schema: Schema,
    encoder: Encoder,
    tables: dict[str, FeatureTable],
    read: dict[str, ibis.Table],
    rows: ibis.Table,
    say: Callable[[str, int, int], None],
) -> list[FeatureInfo]:
    """Encode the features of users and items, in the schema's order; `rows` is the log in numbers with its `part`."""
    infos: list[FeatureInfo] = []
    embedded_by = next((feature.name for feature in schema.features.item if isinstance(feature, IdFeature)), None)
    sides = [("user", feature) for feature in schema.features.user]
    sides += [("item", feature) for feature in schema.features.item]
    for done, (side, feature) in enumerate(sides):
        say("features", done, len(sides))
        if isinstance(feature, BehavioursFeature):
            info = FeatureInfo(
                name=feature.name,
                side="user",
                kind="behaviours",
                rows=0,
                length=feature.length,
                same_domain=feature.domain == "same",
                embedded_by=embedded_by,
            )
        elif isinstance(feature, IdFeature):
            trained = rows.filter(_.part == TRAIN).group_by(index=rows[side]).agg(weight=_.count())
            used = trained.join(encoder.entities[side], "index").select(value=_.key, weight=_.weight)
            info = encoder.encode_id(feature, side, used)
        elif isinstance(feature, Sourced) and feature.table is not None:
            info = encoder.encode(feature, side, tables[feature.table], read[feature.table])
        infos.append(info)
    say("features", len(sides), len(sides))
    return infos


def _batches(table: ibis.Table) -> Iterator[dict[str, Array]]:
    for batch in table.to_pyarrow_batches(chunk_size=ROWS_PER_BATCH):
        yield {name: batch.column(name).to_numpy(zero_copy_only=False) for name in batch.schema.names}


def _scalar(value: ibis.Scalar) -> int:
    return int(value.to_pyarrow().as_py())
