"""The first steps of a quick start: a schema for tables, and the prepared dataset. They do not need PyTorch."""

import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from adi.data.dataset import Dataset
from adi.guessing.draft import guess_schema
from adi.preparation.prepare import prepare
from adi.progress import Report

SCHEMA, PREPARED, RUNS, BUNDLE = "schema.yaml", "prepared", "runs", "bundle"
"""The content of a quick start's folder, beside its report."""


def prepare_tables(
    tables: Sequence[str | Path],
    out: Path,
    columns: Mapping[str, str | None],
    *,
    memory: str,
    say: Callable[[str], None],
    progress: bool | Report,
) -> Dataset:
    """Guess the schema of tables and prepare them; what an earlier call has left in `out` is used.

    `columns` are those of the log that the user named, by role, and `positive`. What was made by another schema is
    removed.
    """
    _describe(tables, out, columns, say)
    return _prepare(out, memory, say, progress)


def _describe(
    tables: Sequence[str | Path], out: Path, columns: Mapping[str, str | None], say: Callable[[str], None]
) -> None:
    schema = out / SCHEMA
    if schema.exists():
        say(f"Schema: {schema}, which is there already.")
        return
    draft = guess_schema(tables, out, **columns)
    out.mkdir(parents=True, exist_ok=True)
    schema.write_text(draft.text, encoding="utf-8")
    for note in draft.notes:
        say(note)
    say(f"Schema: {schema}, guessed; correct it and run the same command again if it is wrong.")


def _prepare(out: Path, memory: str, say: Callable[[str], None], progress: bool | Report) -> Dataset:
    schema, prepared = out / SCHEMA, out / PREPARED
    if prepared.exists() and (prepared / SCHEMA).read_bytes() == schema.read_bytes():
        say(f"Data: {prepared}, which is there already; its tables are not read again.")
        return Dataset(prepared)
    if prepared.exists():
        say(f"Data: {schema} is another than before, so all is made anew.")
        remove(prepared, out / RUNS, out / BUNDLE)
    manifest = prepare(schema, prepared, memory=memory, progress=progress)
    aside = ", ".join(f"{count:,} {reason}" for reason, count in manifest.rows.set_aside.items())
    say(
        f"Data: {manifest.rows.kept:,} rows of {manifest.users:,} users and {manifest.items:,} items in "
        f"{len(manifest.domains)} domains{f'; set aside: {aside}' if aside else ''}."
    )
    return Dataset(prepared)


def remove(*folders: Path) -> None:
    """Remove folders, of which some may not be there."""
    for folder in folders:
        if folder.exists():
            shutil.rmtree(folder)
