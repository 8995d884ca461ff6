"""From the user's tables to a prepared dataset: a folder of arrays that training maps into memory.

entities/{user,item}.arrow       index and id of every user and item
interactions/*.npy               training and validation rows by (user, time), one file for each column
interactions/user_offsets.npy    the slice of each user's rows
test/*.npy                       the rows of the test, by (domain, user)
candidates/*.npy                 the items that each test row is ranked among, where the split gives them
corpus/*.npy                     the items of each domain, with their training counts
features/{user,item}/*.npy       the codes of each feature, see `adi.features`
attributes/**/*.parquet          the items' own columns, see `adi.preparation.attributes`
vocabulary/*.parquet             value, count and code of each feature's values
set_aside.parquet                the rows of the log that were not used, and why
manifest.json, schema.yaml
"""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path

import duckdb
import ibis
from ibis import _
from ibis.backends.duckdb import Backend

from adi.data.arrays import fingerprint
from adi.data.folder import new_folder
from adi.data.manifest import FORMAT, Manifest, RowCounts
from adi.errors import AdiError
from adi.features.kind import feature_info
from adi.preparation.attributes import write_attributes
from adi.preparation.cleaning import Log, open_log, read_log
from adi.preparation.corpus import read_candidates, read_eligible, write_candidates, write_corpus
from adi.preparation.encoding import TableColumns, encode_features
from adi.preparation.entities import SIDES, Entities, in_numbers, number_entities
from adi.preparation.feature_table import FeatureTable, count_rows, features_of
from adi.preparation.interactions import fit_context, write_rows
from adi.preparation.splitting import assign_parts, count_by_domain
from adi.preparation.tables import shown
from adi.schema import FilesSplit, Schema, TimeSplit, load_schema

LOGS = ("log", "test_log")
"""The tables of the working database that hold the log, and the test's file where there is one, as text."""

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how many of its units are done, and how many there are."""


def prepare(schema_path: Path, out: Path, *, memory: str = "2GB", progress: Progress | None = None) -> Manifest:
    """Prepare the tables that a schema describes; returns the manifest, also written to ``<out>/manifest.json``.

    `memory` bounds the engine's own memory; what does not fit goes to disk beside `out`. A table that no feature names
    is not read. Raises `AdiError`, before any row is read where the fault can be known by then, and leaves no folder
    behind.
    """
    schema_path = schema_path / "schema.yaml" if schema_path.is_dir() else schema_path
    schema, source = load_schema(schema_path), schema_path.parent
    say = progress or (lambda stage, done, of: None)
    with new_folder(out) as folder:
        with _working_database(folder, memory) as connection:
            logs = _open_logs(connection, schema, source)
            tables = {
                name: FeatureTable(connection, name, table, schema, source)
                for name, table in schema.tables.items()
                if features_of(name, (*schema.features.user, *schema.features.item))
            }
            manifest = _prepare(connection, schema, source, logs, tables, folder, say)
        say("checksum", 0, 1)
        manifest = manifest.model_copy(update={"fingerprint": fingerprint(folder, leave_out="attributes")})
        (folder / "manifest.json").write_text(manifest.model_dump_json(indent=1), encoding="utf-8")
        shutil.copyfile(schema_path, folder / "schema.yaml")
        say("checksum", 1, 1)
    return manifest


def _prepare(
    connection: Backend,
    schema: Schema,
    source: Path,
    logs: list[Log],
    tables: dict[str, FeatureTable],
    out: Path,
    say: Progress,
) -> Manifest:
    say("reading the tables", 0, 1)  # before the log, which is the longest: a fault in them shows the sooner
    eligible, candidates = read_eligible(connection, schema, source), read_candidates(connection, schema, source)
    named_by = {"corpus.path": eligible, "split.candidates": candidates}
    listed = {use: table for use, table in named_by.items() if table is not None}
    read = {name: table.read() for name, table in tables.items()}
    say("reading the tables", 1, 1)
    say("reading the log", 0, 1)
    rows, row_counts, domains = _read_rows(connection, schema, logs, out)
    table_counts = {name: count_rows(read[name], table.key_roles, domains) for name, table in tables.items()}
    table_counts |= {use: count_rows(table, list(table.columns), domains) for use, table in listed.items()}
    say("reading the log", 1, 1)

    say("numbering", 0, 1)
    entities: dict[str, Entities] = {}
    for side in SIDES:
        named = [table.select(key=table[side]) for table in (rows, *listed.values()) if side in table.columns]
        named += [read[name] for name, table in tables.items() if table.side == side]
        entities[side] = number_entities(connection, side, named, out / "entities")
    parted = assign_parts(connection, in_numbers(rows, entities, domains), schema.split, logs[0].time)
    for name in LOGS[: len(logs)]:
        connection.con.execute(f"DROP TABLE {name}")
    by_domain = count_by_domain(parted, schema.split, domains, shown(logs[0].files))
    retrievable = None if eligible is None else in_numbers(eligible, entities, domains)
    corpora = write_corpus(parted, retrievable, out / "corpus", len(domains))
    for domain, size in zip(domains, corpora, strict=True):
        if size == 0 and schema.corpus is not None:
            raise AdiError(
                f"{schema.corpus.path}, column '{schema.corpus.domain}': no item is eligible in domain '{domain}'. "
                "Add the domain's items, or remove corpus from the schema: what training saw is eligible then."
            )
    say("numbering", 1, 1)

    ignored: dict[str, int] = {}
    columns = TableColumns(connection, entities, domains, tables, read)
    features = encode_features(schema, parted, columns, out, ignored, say)
    of_items = [table for table in tables.values() if table.side == "item"]
    write_attributes(of_items, read, entities["item"].table, schema.interactions.item, domains, out / "attributes", say)
    context = {}
    for feature in schema.features.context:
        context[feature.name] = fit_context(parted, feature, logs[0], out / "vocabulary", ignored)
        features.append(feature_info(feature, "context", context[feature.name]))

    total, done = row_counts.kept, 0

    def advance(written: int) -> None:
        nonlocal done
        done += written
        say("writing the rows", done, total)

    tested = write_rows(parted, context, out, entities["user"].size, logs[0].time is not None, advance)
    if candidates is not None:
        ranked = in_numbers(candidates, entities, domains)
        write_candidates(tested, ranked, out / "candidates", sum(part.test for part in by_domain.values()))
    return Manifest(
        format=FORMAT,
        adi=version("adi-retrieval"),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        versions={name: version(name) for name in ("duckdb", "ibis-framework", "numpy", "pyarrow")},
        schema_sha256=sha256(schema.model_dump_json().encode()).hexdigest(),
        fingerprint="",
        domains=domains,
        time=logs[0].time,
        repeats=schema.repeats,
        users=entities["user"].size,
        items=entities["item"].size,
        rows=row_counts,
        by_domain={
            domain: counts.model_copy(update={"corpus": size})
            for (domain, counts), size in zip(by_domain.items(), corpora, strict=True)
        },
        tables=table_counts,
        ignored_values=ignored,
        features=tuple(features),
        candidates=candidates is not None,
    )


@contextmanager
def _working_database(folder: Path, memory: str) -> Iterator[Backend]:
    """A database in memory; what does not fit goes into the unfinished folder, and is gone before it is complete.

    One on disk would pack each table as if it were to stay: for the log that took longer than to read it.
    """
    place = folder / "working"
    place.mkdir()
    try:
        connection = ibis.duckdb.connect(memory_limit=memory, temp_directory=str(place / "spill"))
    except duckdb.ParserException as error:
        raise AdiError(f"--memory: '{memory}' is no size ({error}). Give a number and its unit, such as 2GB.") from None
    try:
        yield connection
    except duckdb.OutOfMemoryException as error:
        raise AdiError(
            f"prepare needs more than the {memory} of memory, or the disk, that it may use. Raise --memory. ({error})"
        ) from error
    except RuntimeError as error:
        if str(error) == "Query interrupted":  # what DuckDB makes of Ctrl-C
            raise KeyboardInterrupt from error
        raise
    finally:
        connection.disconnect()
        shutil.rmtree(place)


def _open_logs(connection: Backend, schema: Schema, source: Path) -> list[Log]:
    """The log, and the test's file where the split names one; their columns are checked, no row is read."""
    logs = [open_log(connection, schema, schema.interactions.path, source, "interactions")]
    split = schema.split
    if isinstance(split, FilesSplit):
        logs.append(open_log(connection, schema, split.test, source, "split.test"))
        if logs[1].time != logs[0].time:
            raise AdiError(
                f"{shown(logs[1].files)}, column '{schema.interactions.time}': not the same kind of time as in the log "
                f"({shown(logs[0].files)}: {logs[0].time}, here {logs[1].time}). Write both alike."
            )
    if isinstance(split, TimeSplit) and isinstance(split.at, int | float) != (logs[0].time == "number"):
        raise AdiError(
            f"split.at: {split.at} does not fit {shown(logs[0].files)}, column '{schema.interactions.time}': "
            f"{logs[0].columns[str(schema.interactions.time)]}. Give a "
            f"{'number' if logs[0].time == 'number' else 'date or a time, such as 2017-10-04T12:00:00'}."
        )
    return logs


def _read_rows(
    connection: Backend, schema: Schema, logs: list[Log], out: Path
) -> tuple[ibis.Table, RowCounts, tuple[str, ...]]:
    """The rows to keep of all logs, as text; writes those set aside."""
    tables = [
        read_log(connection, schema, log, name).mutate(given_test=ibis.literal(log is not logs[0]))
        for log, name in zip(logs, LOGS, strict=False)
    ]
    if len(tables) > 1:  # test rows come after every row of the log, also where they have the same time
        tables[1] = tables[1].mutate(row=_.row + tables[0].count().as_scalar())
        if tables[0].time.type() != tables[1].time.type():  # whole numbers in one, fractions in the other
            tables = [table.mutate(time=_.time.cast("float64")) for table in tables]
    rows = ibis.union(*tables) if len(tables) > 1 else tables[0]
    aside = rows.filter(_.reason.notnull())
    aside.select("file", "file_row", "user", "item", "domain", "time", "reason").to_parquet(out / "set_aside.parquet")
    reasons = aside.group_by("reason").agg(rows=_.count()).order_by("reason").to_pyarrow().to_pylist()
    kept = rows.filter(_.reason.isnull()).drop("reason", "file", "file_row", "positive")
    found = kept.group_by("domain").agg(rows=_.count()).order_by("domain").to_pyarrow().to_pylist()
    counts = RowCounts(
        read=int(rows.count().to_pyarrow().as_py()),
        kept=sum(row["rows"] for row in found),
        set_aside={row["reason"]: row["rows"] for row in reasons},
    )
    if not found:
        reason, most = max(counts.set_aside.items(), key=lambda item: item[1])
        raise AdiError(
            f"{shown(logs[0].files)}: no row of {counts.read} can be used; {most} have this fault: {reason}. "
            "Mend the columns, or name others in the schema's interactions."
        )
    domains = schema.domains.values or tuple(row["domain"] for row in found)
    for domain in domains:
        if domain not in {row["domain"] for row in found}:
            raise AdiError(
                f"{shown(logs[0].files)}, column '{schema.domains.column}': no usable row of domain '{domain}'. "
                "Remove it from domains.values, or give the domain some rows."
            )
    return kept, counts, domains
