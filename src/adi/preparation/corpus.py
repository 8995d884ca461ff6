"""The corpus of each domain: the items that can be retrieved there, and the training rows of each."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import ibis
import numpy as np
import pyarrow as pa
from ibis import _

from adi.data.arrays import read_array
from adi.data.manifest import DomainCounts
from adi.engines.engine import Engine
from adi.engines.tables import Connection, RawTable, quoted
from adi.errors import AdiError
from adi.features.categorical import require_single
from adi.preparation.entities import Entities
from adi.preparation.splitting import TEST, TRAIN
from adi.schema import Corpus, FilesSplit, Schema

CORPUS, CANDIDATES = "corpus.path", "split.candidates"
"""The keys of the schema that name tables of pairs."""


@dataclass(frozen=True)
class Pairs:
    """A table of pairs, checked, whose rows were not read: what messages call its section, its columns by role."""

    section: str
    table: RawTable
    columns: dict[str, str]


def paths_of_pairs(schema: Schema) -> dict[str, str]:
    """The paths of a schema's tables of pairs, by key: eligible (item, domain), candidates (user, item, domain)."""
    paths = {}
    if isinstance(schema.corpus, Corpus):
        paths[CORPUS] = schema.corpus.path
    if isinstance(schema.split, FilesSplit) and schema.split.candidates is not None:
        paths[CANDIDATES] = schema.split.candidates
    return paths


def open_pairs(connection: Connection, schema: Schema, key: str, table: RawTable) -> Pairs:
    """Check the columns of the table of pairs that a key of the schema names."""
    if isinstance(schema.corpus, Corpus) and key == CORPUS:
        section, columns = "corpus", {"item": schema.corpus.item, "domain": schema.corpus.domain}
    else:
        log = schema.interactions
        section, columns = key, {"user": log.user, "item": log.item, "domain": schema.domains.column}
    uses = {column: f"{section}, the {role}" for role, column in columns.items()}
    types = table.columns(connection, uses, uses)
    for column, use in uses.items():
        require_single(types[column], f"{table}, column '{column}'", use)
    return Pairs(section, table, columns)


def read_pairs(engine: Engine, pairs: Pairs) -> ibis.Table:
    """A table of pairs as text, with the place of each row. Raises `AdiError` for an empty one."""
    columns = {role: f"nullif({quoted(column)}, '')" for role, column in pairs.columns.items()}
    name = f"pairs_{pairs.section}".replace(".", "_")
    table = engine.read(name, pairs.table, columns, pairs.columns.values())
    if table.count().to_pyarrow().as_py() == 0:
        raise AdiError(
            f"{pairs.table}: the table has no rows. Give it some, or remove {pairs.section} from the schema."
        )
    return table


def every_item(items: Entities, num_domains: int) -> ibis.Table:
    """All pairs (item, domain) in numbers."""
    domains = ibis.memtable(pa.table({"domain": pa.array(range(num_domains), pa.int16())}))
    return items.table.select(item=_.index).cross_join(domains)


def write_corpus(
    engine: Engine, rows: ibis.Table, eligible: ibis.Table | None, out: Path, num_domains: int
) -> list[int]:
    """Write items, counts, eligible and offsets of all corpora, domain after domain.

    `rows` is the log in numbers with its `part`, `eligible` (item, domain) in numbers. Without it, the items of a
    domain are those of its training and validation rows. An item that training saw in a domain where it is not eligible
    stays in the arrays, so that it can be a negative; it is not retrieved. Returns the eligible items of each domain.
    """
    trained = rows.filter(_.part != TEST).group_by("domain", "item")
    trained = trained.agg(count=(_.part == TRAIN).cast("int64").sum())
    if eligible is None:
        corpus = trained.mutate(eligible=ibis.literal(True))
    else:
        listed = eligible.select(listed_domain=_.domain, listed_item=_.item).distinct()
        corpus = trained.outer_join(
            listed, (trained.domain == listed.listed_domain) & (trained.item == listed.listed_item)
        ).select(
            domain=_.domain.coalesce(_.listed_domain),
            item=_.item.coalesce(_.listed_item),
            count=_["count"].fill_null(0),
            eligible=_.listed_item.notnull(),
        )
    corpus = engine.store("corpus", corpus)
    dtypes = {"domain": np.int16, "item": np.int32, "count": np.int64, "eligible": np.bool_}
    engine.write_columns(corpus, out, dtypes, order_by=["domain", "item"])
    domain = np.load(out / "domain.npy")
    np.save(out / "offsets.npy", np.searchsorted(domain, np.arange(num_domains + 1)))
    retrievable = domain[np.load(out / "eligible.npy")]
    return [int(size) for size in np.bincount(retrievable, minlength=num_domains)]


def with_outside(by_domain: Mapping[str, DomainCounts], folder: Path) -> dict[str, DomainCounts]:
    """The counts of each domain with `outside`, from the test rows and the corpora that are written in a folder."""
    test = {name: read_array(folder / "test" / f"{name}.npy") for name in ("item", "domain")}
    corpus = {name: read_array(folder / "corpus" / f"{name}.npy") for name in ("item", "domain", "eligible")}
    tested, listed = (columns["domain"].astype(np.int64) << 32 | columns["item"] for columns in (test, corpus))
    is_outside = ~np.isin(tested, listed[corpus["eligible"]])
    outside = np.bincount(test["domain"][is_outside], minlength=len(by_domain))
    return {
        name: counts.model_copy(update={"outside": int(outside[number])})
        for number, (name, counts) in enumerate(by_domain.items())
    }


def require_items(corpus: Corpus, sizes: Mapping[str, int]) -> None:
    """Raise `AdiError` for a domain without an eligible item; `sizes` are the numbers of these by domain."""
    for domain, size in sizes.items():
        if size == 0:
            raise AdiError(
                f"{corpus.path}, column '{corpus.domain}': no item is eligible in domain '{domain}'. "
                "Add the domain's items, or remove corpus from the schema: what training saw is eligible then."
            )


def write_candidates(engine: Engine, tests: ibis.Table, candidates: ibis.Table, out: Path, num_tests: int) -> None:
    """Write the candidates of each test row as arrays of items and offsets.

    `tests` has one row (test, user, domain) for each test row, `candidates` (user, domain, item), both in numbers.
    """
    paired = engine.store("ranked", tests.join(candidates.distinct(), ["user", "domain"]).select("test", "item"))
    engine.write_columns(paired, out, {"test": np.int64, "item": np.int32}, order_by=["test", "item"])
    test_numbers = np.load(out / "test.npy", mmap_mode="r")
    np.save(out / "offsets.npy", np.searchsorted(test_numbers, np.arange(num_tests + 1)))
    (out / "test.npy").unlink()
