"""Data sets of a backtest: one for each window, cut at its start.

They hold the same rows and items, up to the end of the last window, so that all models are ranked against the same
items; what differs is which rows are for training.
"""

from collections.abc import Callable, Sequence
from hashlib import blake2b, file_digest
from pathlib import Path
from typing import Literal

from adi.backtesting.windows import Window, text_of
from adi.data.folder import new_folder
from adi.grid.folder import GridFolder
from adi.grid.provenance import Provenance, write_provenance
from adi.preparation.inputs import SchemaSource
from adi.preparation.prepare import prepare
from adi.schema import TimeSplit


def split_at(source: SchemaSource, windows: Sequence[Window], window: Window) -> TimeSplit:
    """The split of a window's data set, with the validation of the schema's own split.

    Validation is by time, unless the schema says otherwise.
    """
    own = source.schema.split
    said = isinstance(own, TimeSplit) or "validation_by" in own.model_fields_set
    validation_by: Literal["users", "time"] = own.validation_by if said else "time"
    return TimeSplit(
        kind="time",
        at=window.start,
        until=windows[-1].stop,
        validation=own.validation,
        validation_by=validation_by,
    )


def provenances_of(
    source: SchemaSource, files: Sequence[Path], windows: Sequence[Window], code: str
) -> dict[str, Provenance]:
    """The provenance of each window's data set, as it is prepared now."""
    digest = blake2b(digest_size=16)
    for path in files:
        with path.open("rb") as file:
            digest.update(file_digest(file, lambda: blake2b(digest_size=16)).digest())
    schema = blake2b(source.schema.model_dump_json(exclude={"split"}).encode(), digest_size=16).hexdigest()
    return {
        window.key: Provenance(
            source=digest.hexdigest(),
            code=code,
            changes={"split": split_at(source, windows, window).model_dump(mode="json"), "until": text_of(window.stop)},
            schema_digest=schema,
        )
        for window in windows
    }


def prepare_window(
    source: SchemaSource,
    windows: Sequence[Window],
    window: Window,
    folder: GridFolder,
    provenance: Provenance,
    *,
    memory: str,
    say: Callable[[str], None],
) -> None:
    """Prepare the data set of a window in its folder, which is complete or absent."""
    say(f"preparing window {window.number} of {len(windows)}")
    with new_folder(folder.data(window.key)) as building:
        split = split_at(source, windows, window)
        prepare(source.with_split(split), building / "prepared", memory=memory, progress=False)
        write_provenance(building, provenance)
