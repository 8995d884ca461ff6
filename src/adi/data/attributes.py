"""The Parquet files of the items' attributes: of all domains together, and of each domain."""

from pathlib import Path

import pyarrow.parquet as pq

from adi.errors import AdiError

ORIGIN = r"^(?P<origin>https?://[A-Za-z0-9.-]+(?::[0-9]{1,5})?)(?:[/?#]|$)"
"""The scheme, host and port at the beginning of a picture's URL. Pages show no picture with another."""


def attribute_files(folder: Path, domain: int) -> dict[str, pq.ParquetFile]:
    """The open file of each attribute that items have in a domain, by its name.

    Raises `AdiError` if there are none, as in a dataset of an adi that did not keep attributes.
    """
    paths = [folder / "item.parquet"]
    if (folder / "item_domain").is_dir():
        paths.append(folder / "item_domain" / f"{domain}.parquet")
    try:
        files = [pq.ParquetFile(path, memory_map=True) for path in paths]
    except FileNotFoundError:
        raise AdiError(f"{folder}: the items' attributes are missing there. Prepare the dataset again.") from None
    return {name: file for file in files for name in file.schema_arrow.names}
