"""From the user's tables to a prepared dataset: a folder of arrays that training maps into memory.

entities/{user,item}.parquet     index and id of every user and item
interactions/*.npy               training and validation rows by (user, time), one file for each column
interactions/user_offsets.npy    the slice of each user's rows
test/*.npy                       the rows of the test, by (domain, user)
candidates/*.npy                 the items that each test row is ranked among, where the split gives them
corpus/*.npy                     the items of each domain, with their training counts
features/{user,item}/*.npy       the codes of each feature, see `adi.data.encoding`
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
from adi.data.cleaning import Log, open_log, read_log
from adi.data.corpus import read_candidates, read_eligible, write_candidates, write_corpus
from adi.data.encoding import Encoder
from adi.data.entities import SIDES, in_numbers, number_entities
from adi.data.feature_table import FeatureTable
from adi.data.folder import new_folder
from adi.data.interactions import encode_context, write_rows
from adi.data.manifest import FORMAT, DomainCounts, FeatureInfo, Manifest, RowCounts
from adi.data.splitting import TEST, TRAIN, VALIDATION, assign_parts
from adi.errors import AdiError
from adi.schema import BehavioursFeature, FilesSplit, IdFeature, Schema, Sourced, TimeSplit, load_schema

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how many of its units are done, and how many there are."""


def prepare(schema_path: Path, out: Path, *, memory: str = "2GB", progress: Progress | None = None) -> Manifest:
    """Prepare the tables that a schema describes; returns the manifest, also written to ``<out>/manifest.json``.

    `memory` bounds the engine's own memory; what does not fit goes to disk beside `out`. Raises `AdiError`, before any
    row is read where the fault can be known by then, and leaves no folder behind.
    """
    schema_path = schema_path / "schema.yaml" if schema_path.is_dir() else schema_path
    schema, source = load_schema(schema_path), schema_path.parent
    say = progress or (lambda stage, done, of: None)
    with new_folder(out) as folder:
        with _working_database(folder, memory) as connection:
            logs = _open_logs(connection, schema, source)
            tables = {
                name: FeatureTable(connection, name, table, schema, source) for name, table in schema.tables.items()
            }
            manifest = _prepare(connection, schema, source, logs, tables, folder, say)
        say("checksum", 0, 1)
        manifest = manifest.model_copy(update={"fingerprint": fingerprint(folder)})
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
    say("reading the log", 0, 1)
    rows, row_counts, domains = _read_rows(connection, schema, logs, out)
    eligible, candidates = read_eligible(connection, schema, source), read_candidates(connection, schema, source)
    read = {name: table.read() for name, table in tables.items()}
    say("reading the log", 1, 1)

    say("numbering", 0, 1)
    entities, sizes = {}, {}
    for side in SIDES:
        texts = [rows, *(table for table in (eligible, candidates) if table is not None and side in table.columns)]
        named = [table.select(key=table[side]) for table in texts]
        named += [read[name] for name, table in tables.items() if table.side == side]
        entities[side], sizes[side] = number_entities(connection, side, named, out / "entities")
    parted = assign_parts(in_numbers(rows, entities, domains), schema.split, logs[0].time)
    connection.create_table("rows", parted)
    parted = connection.table("rows")
    by_domain = _count_by_domain(parted, domains)
    say("numbering", 1, 1)

    encoder = Encoder(connection, out / "features", domains, entities, sizes)
    features = _encode_features(schema, encoder, tables, read, parted, say)
    context = []
    for feature in schema.features.context:
        parted, info = encode_context(parted, feature, encoder, logs[0])
        context.append(info)

    total, done = row_counts.kept, 0

    def advance(written: int) -> None:
        nonlocal done
        done += written
        say("writing the rows", done, total)

    tested = write_rows(connection, parted, tuple(context), out, sizes["user"], logs[0].time is not None, advance)
    listed = None if eligible is None else in_numbers(eligible, entities, domains)
    corpora = write_corpus(parted, listed, out / "corpus", len(domains))
    for domain, size in zip(domains, corpora, strict=True):
        if size == 0:
            raise AdiError(f"domain '{domain}': no item is eligible ({schema.corpus}).")
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
        users=sizes["user"],
        items=sizes["item"],
        rows=row_counts,
        by_domain={
            domain: counts.model_copy(update={"corpus": size})
            for (domain, counts), size in zip(by_domain.items(), corpora, strict=True)
        },
        tables={name: table.counts(read[name], domains) for name, table in tables.items()},
        ignored_values=encoder.ignored,
        features=(*features, *context),
        candidates=candidates is not None,
    )


@contextmanager
def _working_database(folder: Path, memory: str) -> Iterator[Backend]:
    """A database on disk inside the unfinished folder, gone before the folder is complete."""
    place = folder / "working"
    place.mkdir()
    connection = ibis.duckdb.connect(place / "working.duckdb", memory_limit=memory, temp_directory=str(place / "spill"))
    try:
        yield connection
    except duckdb.OutOfMemoryException as error:
        raise AdiError(f"prepare needs more than the {memory} that it may use. Raise --memory. ({error})") from error
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
                f"{logs[1].files[0]}, column '{schema.interactions.time}': not the same kind of time as in the log "
                f"({logs[0].files[0]}: {logs[0].time}, here {logs[1].time})."
            )
    if isinstance(split, TimeSplit) and isinstance(split.at, int | float) != (logs[0].time == "number"):
        raise AdiError(
            f"split.at: {split.at!r} does not fit the time column '{schema.interactions.time}', "
            f"{logs[0].columns[str(schema.interactions.time)]}. Give it in the column's own type."
        )
    return logs


def _read_rows(
    connection: Backend, schema: Schema, logs: list[Log], out: Path
) -> tuple[ibis.Table, RowCounts, tuple[str, ...]]:
    """The rows to keep of all logs, as text; writes those set aside."""
    names = ["log", "test_log"][: len(logs)]
    tables = [
        read_log(connection, schema, log, name).mutate(given_test=ibis.literal(name == "test_log"))
        for log, name in zip(logs, names, strict=True)
    ]
    if len(tables) > 1:  # test rows come after every row of the log, also where they have the same time
        tables[1] = tables[1].mutate(row=_.row + tables[0].count().as_scalar())
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
        raise AdiError(f"{logs[0].files[0]}: no row can be used; all are set aside: {counts.set_aside}.")
    domains = schema.domains.values or tuple(row["domain"] for row in found)
    for domain in domains:
        if domain not in {row["domain"] for row in found}:
            raise AdiError(
                f"{logs[0].files[0]}, column '{schema.domains.column}': no usable row of domain '{domain}'. "
                "Remove it from domains.values, or give the domain some rows."
            )
    return kept, counts, domains


def _count_by_domain(rows: ibis.Table, domains: tuple[str, ...]) -> dict[str, DomainCounts]:
    """Counts of each domain (corpora still 0); refuses a domain without training rows and a log without test rows."""
    seen = _.part != TEST
    counted = rows.group_by("domain").agg(
        train=(_.part == TRAIN).sum(),
        validation=(_.part == VALIDATION).sum(),
        test=(_.part == TEST).sum(),
        users=_.user.nunique(where=seen),
        items=_.item.nunique(where=seen),
    )
    by_index = {row.pop("domain"): row for row in counted.to_pyarrow().to_pylist()}
    result = {name: DomainCounts(corpus=0, **by_index[index]) for index, name in enumerate(domains)}
    for name, counts in result.items():
        if counts.train == 0:
            raise AdiError(f"domain '{name}': the split leaves no row for training (test: {counts.test} rows).")
    if sum(counts.test for counts in result.values()) == 0:
        raise AdiError("split: it leaves no row for the test. Choose another kind, or give more rows.")
    return result


def _encode_features(
    schema: Schema,
    encoder: Encoder,
    tables: dict[str, FeatureTable],
    read: dict[str, ibis.Table],
    rows: ibis.Table,
    say: Progress,
) -> list[FeatureInfo]:
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
