"""Files in an object store, which fsspec reads: ``s3://bucket/log/*.parquet``."""

from pathlib import Path, PurePosixPath

import duckdb

from adi.errors import AdiError


def is_remote(path: str | Path) -> bool:
    """Whether a path is an address in a store."""
    return "://" in str(path)


def files_in_store(address: str) -> list[Path]:
    """The files that an address means, sorted: a file, a glob or a folder of parts, as objects with a path's methods.

    In a folder, what starts with `_` or `.` is left out. Raises `AdiError` without a file, and for a store that cannot
    be read or whose package is not installed.
    """
    import fsspec
    from upath import UPath

    try:
        store, root = fsspec.core.url_to_fs(address)
        if store.isdir(root):
            files = [file for file in store.find(root) if _is_part(PurePosixPath(file).relative_to(root.rstrip("/")))]
        else:
            files = store.glob(root)
    except (ImportError, ValueError, OSError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise AdiError(f"{address}: cannot be read ({reason}).") from error
    if not files:
        raise AdiError(f"{address}: no file matches.")
    return [UPath(store.unstrip_protocol(file)) for file in sorted(files)]


def register_store(connection: duckdb.DuckDBPyConnection, file: Path) -> None:
    """Let a connection read the store of a file of `files_in_store`."""
    store = file.fs  # type: ignore[attr-defined]
    protocols = (store.protocol,) if isinstance(store.protocol, str) else store.protocol
    if not any(connection.filesystem_is_registered(protocol) for protocol in protocols):
        connection.register_filesystem(store)


def _is_part(path: PurePosixPath) -> bool:
    return not any(part.startswith(("_", ".")) for part in path.parts)
