"""Parquet files beside ``metrics.json``, which holds a digest of each.

``metrics.json`` is written after them. The tables of one evaluation are therefore never read with the metrics of
another, even if writing was interrupted.
"""

from hashlib import blake2b
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from adi.data.folder import replace_file
from adi.errors import AdiError


def write_table(path: Path, table: pa.Table) -> str:
    """Write or replace a table; returns a digest of the file."""
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink)
    content = sink.getvalue().to_pybytes()
    replace_file(path, content)
    return _digest(content)


def read_table(path: Path, digest: str | None, *, content: str) -> pa.Table:
    """Read a table of the evaluation whose ``metrics.json`` has this digest; `content` is what it holds, in a word.

    Raises `AdiError` where there is no digest, as an older adi wrote none, and for a file with another.
    """
    remedy = f"Run 'adi evaluate {path.parent}' again, with the same options."
    if digest is None:
        raise AdiError(f"{path.parent / 'metrics.json'}: written by an adi that kept no {content}. {remedy}")
    try:
        stored = path.read_bytes()
    except OSError as error:
        raise AdiError(f"{path}: cannot be read ({error.strerror}). {remedy}") from None
    if _digest(stored) != digest:
        raise AdiError(f"{path}: not the {content} that metrics.json was made from (digest {digest}). {remedy}")
    return pq.read_table(pa.BufferReader(stored))


def _digest(content: bytes) -> str:
    return blake2b(content, digest_size=16).hexdigest()
