"""From the user's tables to a prepared dataset: a folder of arrays that training maps into memory.

entities/{user,item}.arrow       index and id of every user and item
interactions/*.npy               training and validation rows by (user, time), one file for each column
interactions/user_offsets.npy    the slice of each user's rows
test/*.npy                       the rows of the test, by (domain, user)
timeline/*.npy                   the rows of all parts by (user, time), for live histories; if the log has time
trends/{all,known}/*.npy         clicks by time for counters, see `adi.preparation.trends`; if the schema asks for them
candidates/*.npy                 the items that each test row is ranked among, where the split gives them
corpus/*.npy                     the items of each domain, with their training counts
features/{user,item}/*.npy       the codes of each feature, see `adi.features`
**/*.number.npy                  the numbers behind the codes of numeric features
held_out_ids/*.npy               the ids that have a code of their own only once validation rows count as training rows
attributes/**/*.parquet          the items' own columns, see `adi.preparation.attributes`
vocabulary/*.parquet             value, count and code of each feature's values
set_aside.parquet                the rows of the log that were not used, and why
manifest.json, schema.yaml
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path

import ibis
from ibis import _

from adi.data.arrays import read_array
from adi.data.coding import NUMBERS
from adi.data.folder import new_folder
from adi.data.manifest import (
    FORMAT,
    DisplayInfo,
    DomainCounts,
    FeatureInfo,
    Manifest,
    RowCounts,
    TrendInfo,
    write_manifest,
)
from adi.data.sealed import digest_of, files_in
from adi.engines.choice import opened_engine
from adi.engines.engine import Engine
from adi.features.encoding import Encoding
from adi.features.kind import feature_info
from adi.preparation.attributes import write_attributes
from adi.preparation.cleaning import context_column
from adi.preparation.corpus import (
    CANDIDATES,
    CORPUS,
    every_item,
    read_pairs,
    require_items,
    with_outside,
    write_candidates,
    write_corpus,
)
from adi.preparation.display import display_info
from adi.preparation.drift import drift_of
from adi.preparation.encoding import TableColumns, encode_features
from adi.preparation.entities import SIDES, Entities, in_numbers, number_entities
from adi.preparation.faults import faulty_rows, faulty_values, refuse_faults
from adi.preparation.feature_table import with_reasons
from adi.preparation.inputs import AnySchema, Inputs, SchemaSource, open_inputs, read_schema
from adi.preparation.interactions import fit_context, write_rows
from adi.preparation.logs import LOGS, faults_of_logs, keep_rows, read_logs
from adi.preparation.repeats import with_repeats
from adi.preparation.set_aside import count_rows, kept
from adi.preparation.splitting import TEST, assign_parts, count_by_domain
from adi.preparation.trends import trend_info, write_trends
from adi.progress import Report, reporting
from adi.schema import Corpus, Schema, TimeSplit

NOT_MODELLED = ("attributes/*", "set_aside.parquet", "schema.yaml", f"*{NUMBERS}.npy")
"""Files that no model sees: the fingerprint leaves them out."""


def prepare(
    schema: AnySchema | SchemaSource,
    out: str | Path,
    *,
    tables: Mapping[str, object] | None = None,
    engine: str = "duckdb",
    memory: str = "2GB",
    strict: bool = False,
    progress: bool | Report = True,
) -> Manifest:
    """Prepare tables for training: arrays on disk, the corpus of each domain, and what was set aside and why.

        adi.prepare("tables/schema.yaml", "prepared")
        adi.prepare(schema, "prepared", tables={"interactions": clicks, "items": items})

    Args:
        schema: the path of ``schema.yaml`` or of its folder; or its content as a dict or a `Schema`, whose paths are
            relative to the working directory.
        out: the folder to write, which must not hold anything yet. It appears when it is complete.
        tables: tables in memory in place of files: the log as ``interactions``, others by their names in the schema.
            A table is a `pyarrow.Table` or any DataFrame with the method ``__arrow_c_stream__`` (pandas, polars).
        engine: ``duckdb``, on this machine; or ``spark``, or the address of a Spark cluster such as
            ``spark://host:7077``, whose processes all see `out` and the tables.
        memory: a bound for the memory of DuckDB, and of a Spark on this machine, such as ``2GB``. What does not fit
            goes to disk beside `out`.
        strict: raise an `AdiError` where faulty rows would be set aside, or values that are there would count as
            missing. Rows that the schema asks to leave out, by ``positive``, ``duplicates`` or ``until``, are no fault.
        progress: show a bar on standard error, in a terminal or a notebook; or a function to report to.

    Returns:
        The manifest, which is also ``<out>/manifest.json``.

    Raises:
        AdiError: for a fault in the schema or the tables, which it names; before any row is read, where the fault can
            be known by then. No folder is left behind. A table that no feature names is not read.
    """
    source = read_schema(schema)
    with reporting(progress) as say, new_folder(Path(out)) as building:
        with opened_engine(engine, building, memory) as opened:
            inputs = open_inputs(opened, source, tables or {})
            manifest = _Preparation(opened, source.schema, inputs, building, strict, say).run()
        say("checksum", 0, 1)
        (building / "schema.yaml").write_bytes(source.text)
        files = files_in(building)
        fingerprint = digest_of(files, size=16, leave_out=_is_not_modelled)
        manifest = manifest.model_copy(update={"fingerprint": fingerprint, "files": files})
        write_manifest(building, manifest)
        say("checksum", 1, 1)
    return manifest


def _is_not_modelled(name: str) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in NOT_MODELLED)


@dataclass(frozen=True)
class _Texts:
    """All rows to keep, with ids and domains as text.

    `tables` are the feature tables by name; `listed` are the tables of pairs, by the schema's key.
    """

    rows: ibis.Table
    domains: tuple[str, ...]
    tables: dict[str, ibis.Table]
    listed: dict[str, ibis.Table]
    row_counts: RowCounts
    table_counts: dict[str, RowCounts]


@dataclass(frozen=True)
class _Numbers:
    """The log in numbers with its `part`, the users and items behind the numbers, and the counts of each domain."""

    rows: ibis.Table
    entities: dict[str, Entities]
    by_domain: dict[str, DomainCounts]


@dataclass(frozen=True)
class _Preparation:
    """The steps of `prepare` in the working database; each writes its part of the folder `out`."""

    engine: Engine
    schema: Schema
    inputs: Inputs
    out: Path
    strict: bool
    say: Report

    def run(self) -> Manifest:
        """All steps in order; the manifest lacks the fingerprint, since files are still to come."""
        texts = self._read()
        numbers = self._number(texts)
        features, ignored, context = self._encode(texts, numbers)
        display = self._write_attributes(texts, numbers)
        self._write_rows(texts, numbers, context)
        by_domain = with_outside(with_repeats(numbers.by_domain, self.out), self.out)
        trend = self._write_trends(numbers)
        split = self.schema.split
        drift = (
            drift_of(self.out, self.inputs.logs[0].time) if trend is None and split.validation_by == "time" else None
        )
        return Manifest(
            format=FORMAT,
            adi=version("adi-retrieval"),
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            versions={name: version(name) for name in ("duckdb", "ibis-framework", "numpy", "pyarrow")},
            schema_sha256=sha256(self.schema.model_dump_json().encode()).hexdigest(),
            fingerprint="",
            domains=texts.domains,
            time=self.inputs.logs[0].time,
            repeats=self.schema.repeats,
            users=numbers.entities["user"].size,
            items=numbers.entities["item"].size,
            rows=texts.row_counts,
            by_domain=by_domain,
            tables=texts.table_counts,
            ignored_values=ignored,
            features=tuple(features),
            candidates=CANDIDATES in texts.listed,
            trend=trend,
            validation_by=split.validation_by,
            drift=drift,
            display=display,
        )

    def _read(self) -> _Texts:
        """Read all tables, the log last: it is the longest, and a fault in another shows the sooner."""
        self.say("reading the tables", 0, 1)
        pairs = self.inputs.pairs
        columns = {key: pair.columns for key, pair in pairs.items()}
        columns |= {name: table.key_roles for name, table in self.inputs.tables.items()}
        beside = {key: read_pairs(self.engine, pair) for key, pair in pairs.items()}
        beside |= {name: table.read(self.engine) for name, table in self.inputs.tables.items()}
        self.say("reading the tables", 1, 1)
        self.say("reading the log", 0, 1)
        log = read_logs(self.engine, self.schema, self.inputs.logs)
        rows, row_counts, domains = keep_rows(self.engine, self.schema, self.inputs.logs, log, self.out)
        left_out = self.schema.domains.leave_out
        beside = {name: with_reasons(table, columns[name], domains, left_out) for name, table in beside.items()}
        counts = {name: count_rows(table) for name, table in beside.items()}
        if self.strict:
            faults = {"log": faults_of_logs(self.schema, log)}
            faults |= {f"table {name}": faulty_rows(table, columns[name]) for name, table in beside.items()}
            refuse_faults(faults | self._faulty_values(kept(log), beside))
        tables = {name: kept(beside[name]) for name in self.inputs.tables}
        listed = {key: kept(beside[key]).select(*columns[key]) for key in pairs}
        self.say("reading the log", 1, 1)
        return _Texts(rows, domains, tables, listed, row_counts, counts)

    def _faulty_values(self, log: ibis.Table, tables: Mapping[str, ibis.Table]) -> dict[str, ibis.Table]:
        """The faulty values of each feature in the rows to keep."""
        faults = {}
        for feature in self.schema.features.context:
            faults[feature.name] = faulty_values(log, feature, context_column(feature.name))
        for name, table in self.inputs.tables.items():
            for column in table.features:
                faults[column.name] = faulty_values(kept(tables[name]), column, f"value_{column.name}")
        return {f"feature {name}": values for name, values in faults.items() if values is not None}

    def _number(self, texts: _Texts) -> _Numbers:
        """Number users and items, divide the log into its parts, and write the corpora."""
        self.say("numbering", 0, 1)
        log, entities = self.inputs.logs[0], {}
        for side in SIDES:
            named = [t.select(key=t[side]) for t in (texts.rows, *texts.listed.values()) if side in t.columns]
            named += [texts.tables[name] for name, table in self.inputs.tables.items() if table.side == side]
            entities[str(side)] = number_entities(self.engine, side, named, self.out / "entities")
        numbered = in_numbers(texts.rows, entities, texts.domains)
        rows = assign_parts(self.engine, numbered, self.schema.split, log.time)
        for name in LOGS[: len(self.inputs.logs)]:
            self.engine.drop(name)
        by_domain = count_by_domain(rows, self.schema.split, texts.domains, str(log.table))
        eligible = in_numbers(texts.listed[CORPUS], entities, texts.domains) if CORPUS in texts.listed else None
        if self.schema.corpus == "all":
            eligible = every_item(entities["item"], len(texts.domains))
        sizes = write_corpus(self.engine, rows, eligible, self.out / "corpus", len(texts.domains))
        if isinstance(self.schema.corpus, Corpus):
            require_items(self.schema.corpus, dict(zip(texts.domains, sizes, strict=True)))
        counts = {
            domain: counts.model_copy(update={"corpus": size})
            for (domain, counts), size in zip(by_domain.items(), sizes, strict=True)
        }
        self.say("numbering", 1, 1)
        return _Numbers(rows, entities, counts)

    def _encode(
        self, texts: _Texts, numbers: _Numbers
    ) -> tuple[list[FeatureInfo], dict[str, int], dict[str, Encoding]]:
        """Write the features, and fit the context features.

        Returns the features, by feature the number of values read as missing, and the encodings of the context.
        """
        ignored: dict[str, int] = {}
        columns = TableColumns(self.engine, numbers.entities, texts.domains, self.inputs.tables, texts.tables)
        features = encode_features(self.schema, numbers.rows, columns, self.out, ignored, self.say)
        context, vocabularies = {}, self.out / "vocabulary"
        for feature in self.schema.features.context:
            encoding = fit_context(self.engine, numbers.rows, feature, self.inputs.logs[0], vocabularies, ignored)
            context[feature.name] = encoding
            features.append(feature_info(feature, "context", encoding))
        return features, ignored, context

    def _write_attributes(self, texts: _Texts, numbers: _Numbers) -> DisplayInfo | None:
        """Write the items' attributes; returns those by which items are shown."""
        of_items = [table for table in self.inputs.tables.values() if table.side == "item"]
        item_id, out = self.schema.interactions.item, self.out / "attributes"
        items = numbers.entities["item"].table
        names = write_attributes(self.engine, of_items, texts.tables, items, item_id, texts.domains, out, self.say)
        return display_info(self.schema.display, names, out)

    def _write_rows(self, texts: _Texts, numbers: _Numbers, context: dict[str, Encoding]) -> None:
        """Write the rows of the log, and the candidates of the test rows."""
        written, total = 0, texts.row_counts.kept

        def advance(rows: int) -> None:
            nonlocal written
            written += rows
            self.say("writing the rows", written, total)

        timed = self.inputs.logs[0].time is not None
        num_users = numbers.entities["user"].size
        tested = write_rows(self.engine, numbers.rows, context, self.out, num_users, timed, advance)
        if CANDIDATES in texts.listed:
            ranked = in_numbers(texts.listed[CANDIDATES], numbers.entities, texts.domains)
            num_tests = sum(counts.test for counts in numbers.by_domain.values())
            write_candidates(self.engine, tested, ranked, self.out / "candidates", num_tests)

    def _write_trends(self, numbers: _Numbers) -> TrendInfo | None:
        """Write the clicks by time: of all rows, and where the test is not later than the others, of the others."""
        trend, time = self.schema.trend, self.inputs.logs[0].time
        if trend is None:
            return None
        info = trend_info(trend, time)
        sizes = numbers.entities["item"].size, len(numbers.by_domain)
        self.say("trends", 0, 1)
        all_clicks = self.out / "trends" / "all"
        write_trends(self.engine, numbers.rows, info, *sizes, all_clicks)
        if not isinstance(self.schema.split, TimeSplit):
            known = numbers.rows.filter(_.part != TEST)
            write_trends(self.engine, known, info, *sizes, self.out / "trends" / "known")
        self.say("trends", 1, 1)
        times = read_array(all_clicks / "time.npy")
        return info.model_copy(update={"span": float(times[-1] - times[0])})
