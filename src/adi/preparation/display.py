"""The display of items: the attributes that are their title and picture, and the hosts that the pictures come from."""

from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from adi.data.attributes import ORIGIN
from adi.data.manifest import DisplayInfo
from adi.schema import Display

MOST_SOURCES = 20
"""Hosts of pictures that a page's policy names one by one; of more, it allows their schemes."""


def shown_columns(display: Display | None, table: str) -> dict[str, str]:
    """The columns of a table by what they show of an item: ``title``, ``image``."""
    if display is None or display.table != table:
        return {}
    return {key: column for key in ("title", "image") if (column := getattr(display, key)) is not None}


def display_info(display: Display | None, names: Mapping[tuple[str, str], str], attributes: Path) -> DisplayInfo | None:
    """The attributes that a schema shows items by; `names` has the attribute of each (table, column)."""
    if display is None:
        return None
    shown = {key: names[display.table, column] for key, column in shown_columns(display, display.table).items()}
    sources = _sources(attributes, shown["image"]) if "image" in shown else ()
    return DisplayInfo(**shown, image_sources=sources)


def _sources(attributes: Path, name: str) -> tuple[str, ...]:
    """The hosts of the URLs in an attribute, ascending; their schemes where the hosts are many."""
    hosts: set[str] = set()
    for path in sorted(attributes.rglob("*.parquet")):
        file = pq.ParquetFile(path)
        if name not in file.schema_arrow.names:
            continue
        for batch in file.iter_batches(columns=[name]):
            urls = batch.column(0).cast(pa.string())
            origins = pc.struct_field(pc.extract_regex(urls, ORIGIN), "origin")
            hosts.update(origin for origin in pc.unique(origins).to_pylist() if origin)
    if len(hosts) > MOST_SOURCES:
        return tuple(sorted({f"{host.partition(':')[0]}:" for host in hosts}))
    return tuple(sorted(hosts))
