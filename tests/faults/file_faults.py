"""Faults of whole files: changes of the files of drawn tables, and the message that `adi prepare` is to end with."""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

Row = dict[str, Any]
Spoil = Callable[[Path, str], object]
"""Changes the files in a folder, which have a suffix."""


def content_of(rows: list[Row], suffix: str, line_end: str) -> bytes:
    """A file of rows."""
    if suffix == ".parquet":
        table, sink = pa.Table.from_pylist(rows), io.BytesIO()
        pq.write_table(table, sink)
        return sink.getvalue()
    if suffix == ".jsonl":
        return "".join(json.dumps(row, ensure_ascii=False) + line_end for row in rows).encode()
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(rows[0]), lineterminator=line_end)
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def changed(change: Callable[[bytes], bytes], table: str = "log/0") -> Spoil:
    """Change a file: by default the first of the log."""

    def spoil(folder: Path, suffix: str) -> None:
        file = folder / f"{table}{suffix}"
        file.write_bytes(change(file.read_bytes()))

    return spoil


def appended(content: bytes, table: str = "log/0") -> Spoil:
    return changed(lambda before: before + content, table)


def one_more(*rows: Row) -> Spoil:
    """Add a file of rows to the log."""
    return lambda folder, suffix: (folder / f"log/9{suffix}").write_bytes(content_of(list(rows), suffix, "\n"))


ROW = {"user": "u", "item": "i", "domain": "p", "time": None, "hour": 0.5, "event": "buy"}
LINE = json.dumps(ROW).encode() + b"\n"
NO_ITEM = {column: value for column, value in ROW.items() if column != "item"}
NO_PARQUET = r"log/0\.parquet: cannot be read as Parquet: "
CSV, JSON = r"log/0\.csv: cannot be read as CSV: ", r"log/0\.jsonl: cannot be read as JSON lines .*: "

FILE_FAULTS: dict[str, tuple[Spoil, str]] = {
    # by the name with the suffixes that it is for; the message is empty where all is as if nothing had been done
    "short row .csv": (appended(b"u,i\n"), CSV),
    "long row .csv": (appended(b"u,i,p,1,2,buy,3,4\n"), CSV),
    "not UTF-8 .csv": (appended(b"\xff,i,p,,0.5,buy\n"), CSV),
    "UTF-16 .csv": (changed(lambda content: content.decode().encode("utf-16")), r"log/0\.csv: is text in UTF-16"),
    "open quote .csv": (appended(b'"u,i,p,,0.5,buy\n'), CSV),
    "byte order mark .csv": (changed(lambda content: b"\xef\xbb\xbf" + content), ""),
    "header alone .csv": (
        lambda folder, suffix: (folder / f"log/9{suffix}").write_text(",".join(ROW) + "\n", encoding="utf-8"),
        "",
    ),
    "not UTF-8 .jsonl": (appended(LINE.replace(b'"u"', b'"\xff"')), JSON + ".*line"),
    "cut line .jsonl": (appended(LINE[:30]), JSON),
    "list on a line .jsonl": (appended(b"[1]\n"), JSON),
    "half a character .jsonl": (appended(LINE.replace(b'"u"', rb'"\ud800"')), JSON + ".*line"),
    "field twice .jsonl": (appended(b'{"user": 1, ' + LINE[1:]), JSON + ".*duplicate key"),
    "byte order mark .jsonl": (
        changed(lambda content: b"\xef\xbb\xbf" + content),
        r"log/0\.jsonl: begins with a byte order mark",
    ),
    "cut .parquet": (
        changed(lambda content: content[: len(content) // 2]),
        r"log/0\.parquet: cannot be read as Parquet",
    ),
    "no bytes .csv .jsonl": (changed(lambda _: b""), r"log/0\.\w+: the file is empty"),
    "no bytes .parquet": (changed(lambda _: b""), NO_PARQUET),
    "no column in a part .csv .jsonl .parquet": (
        one_more(NO_ITEM),
        r"log/9\.\w+: no column 'item' \(interactions\.item",
    ),
    "text for a number .csv .jsonl .parquet": (
        one_more({**ROW, "hour": "noon"}),
        r"log/.*, column 'hour': \w+, and",
    ),
    "undeclared domain .csv .jsonl .parquet": (
        one_more({**ROW, "domain": "serch"}),
        r"log/9\.\w+, column 'domain', row 1: 'serch' is not a declared domain",
    ),
    "key twice .csv": (appended(b"7,1.5,\n", "prices"), r"prices\.csv, row \d+: the key item = '7' is on 2 rows"),
}
