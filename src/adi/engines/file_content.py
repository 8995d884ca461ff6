"""The content of a file, where it is not what the file's name says: an Excel workbook named .csv, another encoding."""

import gzip
from pathlib import Path

from adi.errors import AdiError

OTHER_KINDS = {
    b"PK\x03\x04": "is a workbook of Excel, or another ZIP archive. Save each sheet as CSV",
    b"\xd0\xcf\x11\xe0": "is a workbook of Excel. Save each sheet as CSV",
    b"PAR1": "is Parquet. End its name with .parquet",
    b"\x1f\x8b": "is compressed by gzip. End its name with .gz",
    b"\xff\xfe": "is text in UTF-16. Save it as UTF-8",
    b"\xfe\xff": "is text in UTF-16. Save it as UTF-8",
}
"""What files of other kinds are, by their first bytes."""


def first_line(file: Path) -> str:
    """The first line that is not blank, decoded as far as it can be; empty if there is none."""
    try:
        with file.open("rb") as content:
            lines = gzip.GzipFile(fileobj=content) if file.suffix == ".gz" else content
            return next((line.decode("utf-8", "replace") for line in lines if line.strip()), "")
    except (OSError, EOFError) as error:
        raise AdiError(f"{file}: cannot be read: {error}") from error


def check_text(file: Path, kind: str) -> None:
    """Raise `AdiError` for a file of text that is empty, or of another kind than its name says."""
    line = first_line(file)
    if not line:
        raise AdiError(f"{file}: the file is empty. Remove it, or write it with a header and rows.")
    if kind == "json" and line.startswith("\ufeff"):  # DuckDB takes it, but not of a file alone
        raise AdiError(f"{file}: begins with a byte order mark, which JSON has not. Write it without one.")
    if kind == "json" and line.lstrip().startswith("["):
        raise AdiError(f"{file}: is one JSON array. Write one object on each line, without brackets and commas around.")
    if file.suffix == ".gz":
        return
    with file.open("rb") as content:
        beginning = content.read(4)
    for mark, fault in OTHER_KINDS.items():
        if beginning.startswith(mark):
            raise AdiError(f"{file}: {fault}.")
    if "\0" in line:
        raise AdiError(f"{file}: has bytes that are no text. Write it again as UTF-8.")
