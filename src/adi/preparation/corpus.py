"""The corpus of each domain: the items that can be retrieved there, and the training rows of each."""

from collections.abc import Mapping
from pathlib import Path

import ibis
import numpy as np
from ibis import _
from ibis.backends.duckdb import Backend

from adi.data.arrays import write_columns
from adi.errors import AdiError
from adi.preparation.splitting import TEST, TRAIN
from adi.preparation.tables import TableFiles, quoted
from adi.schema import Corpus, FilesSplit, Schema


def read_eligible(connection: Backend, schema: Schema, folder: Path) -> ibis.Table | None:
    """The table of eligible (item, domain) pairs as text; None if the schema has none."""
    if not isinstance(schema.corpus, Corpus):
        return None
    wanted = {"item": schema.corpus.item, "domain": schema.corpus.domain}
    return _read_text(connection, "eligible", schema.corpus.path, folder, wanted, "corpus")


def read_candidates(connection: Backend, schema: Schema, folder: Path) -> ibis.Table | None:
    """The table of candidates (user, domain, item) as text; None if the split has none."""
    if not isinstance(schema.split, FilesSplit) or schema.split.candidates is None:
        return None
    columns = schema.interactions
    wanted = {"user": columns.user, "domain": schema.domains.column, "item": columns.item}
    return _read_text(connection, "candidates", schema.split.candidates, folder, wanted, "split.candidates")


def _read_text(connection: Backend, name: str, path: str, folder: Path, wanted: dict[str, str], use: str) -> ibis.Table:
    raw = TableFiles.at(path, folder)
    raw.columns(connection.con, {column: f"{use}, the {role}" for role, column in wanted.items()})
    selected = ", ".join(f"nullif({quoted(column)}, '') AS {quoted(role)}" for role, column in wanted.items())
    with raw.reading(connection.con):
        connection.con.execute(f"CREATE TABLE {quoted(name)} AS SELECT {selected} FROM {raw.sql(wanted.values())}")
    table: ibis.Table = connection.table(name)
    if table.count().to_pyarrow().as_py() == 0:
        raise AdiError(f"{raw}: the table has no rows. Give it some, or remove {use} from the schema.")
    return table


def every_item(connection: Backend, num_items: int, num_domains: int) -> ibis.Table:
    """All pairs (item, domain) in numbers."""
    items, domains = f"range({num_items}) items(item)", f"range({num_domains}) domains(domain)"
    return connection.sql(f"SELECT item::INTEGER AS item, domain::INTEGER AS domain FROM {items}, {domains}")


def write_corpus(rows: ibis.Table, eligible: ibis.Table | None, out: Path, num_domains: int) -> list[int]:
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
    length = int(corpus.count().to_pyarrow().as_py())
    ordered = corpus.order_by("domain", "item").to_pyarrow_batches()
    dtypes = {"domain": np.int16, "item": np.int32, "count": np.int64, "eligible": np.bool_}
    write_columns(ordered, out, length, dtypes)
    domain = np.load(out / "domain.npy")
    np.save(out / "offsets.npy", np.searchsorted(domain, np.arange(num_domains + 1)))
    retrievable = domain[np.load(out / "eligible.npy")]
    return [int(size) for size in np.bincount(retrievable, minlength=num_domains)]


def require_items(corpus: Corpus, sizes: Mapping[str, int]) -> None:
    """Raise `AdiError` for a domain without an eligible item; `sizes` are the numbers of these by domain."""
    for domain, size in sizes.items():
        if size == 0:
            raise AdiError(
                f"{corpus.path}, column '{corpus.domain}': no item is eligible in domain '{domain}'. "
                "Add the domain's items, or remove corpus from the schema: what training saw is eligible then."
            )


def write_candidates(tests: ibis.Table, candidates: ibis.Table, out: Path, num_tests: int) -> None:
    """Write the candidates of each test row as arrays of items and offsets.

    `tests` has one row (test, user, domain) for each test row, `candidates` (user, domain, item), both in numbers.
    """
    paired = tests.join(candidates.distinct(), ["user", "domain"]).select("test", "item")
    length = int(paired.count().to_pyarrow().as_py())
    write_columns(
        paired.order_by("test", "item").to_pyarrow_batches(), out, length, {"test": np.int64, "item": np.int32}
    )
    test_numbers = np.load(out / "test.npy")
    np.save(out / "offsets.npy", np.searchsorted(test_numbers, np.arange(num_tests + 1)))
    (out / "test.npy").unlink()
