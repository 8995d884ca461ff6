"""The manifest of a prepared dataset: the rows read, kept and set aside, and how each feature is encoded."""

from pathlib import Path
from typing import Annotated, Literal, NamedTuple

import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from adi.data.sealed import FileInfo, check_files, digest_of, unsealed, write_sealed
from adi.errors import AdiError
from adi.frames import html_of

FORMAT = 2
"""The version of a prepared dataset's layout. Folders of another version are refused.

A new file that nothing else depends on does not change the version: its reader reports if it is missing, as for
attributes.
"""

FILE = "manifest.json"
REMEDY = "Copy the dataset again, or prepare it again."

NULL_ROW = 0
UNSEEN_ROW = 1
FIRST_VALUE_ROW = 2
"""The first rows of every embedding table: a missing value, a value that the vocabulary lacks, then the values."""


class Record(BaseModel):
    """A part of the manifest: frozen, and closed to unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class FeatureInfo(Record):
    """The encoding of a feature.

    `rows` is the size of its embedding table: 0 for behaviours, which use the table of the item feature
    `embedded_by`. `edges` are a numeric feature's bucket edges; with `hash_size` there is no vocabulary.
    """

    name: str
    side: Literal["user", "item", "context"]
    kind: Literal["id", "categorical", "multi", "numeric", "behaviours"]
    rows: int
    by_domain: bool = False
    hash_size: int | None = None
    edges: tuple[float, ...] | None = None
    length: int | None = None
    same_domain: bool = False
    embedded_by: str | None = None


class CoClickInfo(Record):
    """Co-clicks: of the `last` items of a history, from the `window` newest followers of each; times as in the log.

    An item counts if its share among the followers is at least `least_share`.
    """

    half_lives: tuple[float, ...]
    last: int
    window: int
    least_share: float


class TrendSizes(NamedTuple):
    """The number of half-lives of counts, of co-clicks and of audiences; 0 of what the schema does not ask for."""

    counts: int
    co_clicks: int = 0
    audience: int = 0


class TrendInfo(Record):
    """The counters of clicks by time, which know clicks once `delay` has passed; times are in the unit of the log.

    `audience` are the half-lives of audiences. `span` is the time from the first to the last click of the log.
    """

    half_lives: tuple[float, ...]
    delay: float
    co_clicks: CoClickInfo | None = None
    audience: tuple[float, ...] = ()
    span: float | None = None

    @property
    def sizes(self) -> TrendSizes:
        """The numbers of half-lives."""
        co_clicks = self.co_clicks.half_lives if self.co_clicks else ()
        return TrendSizes(len(self.half_lives), len(co_clicks), len(self.audience))


class DriftInfo(Record):
    """The half-life by which the newest rows before the test are most likely, where the log drifts.

    `recall` is recall@50 of popularity with that half-life on the validation rows, the mean over the domains;
    `recall_of_all` is that of popularity of all training rows. `rows` are the evenly spread rows that the training rows
    are worth with that half-life; None in a dataset that an older adi prepared.
    """

    half_life: str | float
    recall: float
    recall_of_all: float
    rows: int | None = None


ImageSource = Annotated[str, Field(pattern=r"^https?:(//[A-Za-z0-9.-]+(:[0-9]{1,5})?)?$")]


class DisplayInfo(Record):
    """The items' attributes that show an item to people: its title, and the URL of its picture.

    `image_sources` are what a page's Content-Security-Policy has to allow for the pictures: their hosts, such as
    ``https://images.example.com``, or where these are many, the schemes.
    """

    title: str | None = None
    image: str | None = None
    image_sources: tuple[ImageSource, ...] = ()


class DomainCounts(Record):
    """Counts of a domain: its rows, the `users` and `items` of its training and validation rows, its eligible items.

    `duplicates` are rows, of all parts, that equal another in user, item, domain and time; `seen` are test rows whose
    item is in the history, `outside` those whose item is not in the corpus. All three are None in a dataset that an
    older adi prepared.
    """

    train: int
    validation: int
    test: int
    users: int
    items: int
    corpus: int
    duplicates: int | None = None
    seen: int | None = None
    outside: int | None = None


class RowCounts(Record):
    """Rows of the log or of a table; `set_aside` by reason: read = kept + the sum of those set aside."""

    read: int
    kept: int
    set_aside: dict[str, int]


class Manifest(Record):
    """The record of a preparation.

    `tables` counts the rows of feature tables by name, and of ``corpus.path`` and ``split.candidates``.
    `ignored_values` counts, by numeric feature, the NaN and infinities that were read as missing. `validation_by` is
    the rule of the validation rows (`adi.schema.HeldOut`). `drift` is None where newer rows say little more of what
    comes next than all rows do, with trends, and where it is not known since validation rows are not the newest.
    `display` says how items are shown. `files` are all files of the folder but this one; empty in a part of another
    folder, whose own record has them, and None in a dataset that an older adi prepared.
    """

    format: int
    adi: str
    created: str
    versions: dict[str, str]
    schema_sha256: str
    fingerprint: str
    domains: tuple[str, ...]
    time: Literal["timestamp", "number"] | None
    repeats: bool
    users: int
    items: int
    rows: RowCounts
    by_domain: dict[str, DomainCounts]
    tables: dict[str, RowCounts]
    ignored_values: dict[str, int]
    features: tuple[FeatureInfo, ...]
    candidates: bool
    trend: TrendInfo | None = None
    validation_by: Literal["users", "time"] = "users"
    drift: DriftInfo | None = None
    display: DisplayInfo | None = None
    files: dict[str, FileInfo] | None = None

    @property
    def attributes_digest(self) -> str | None:
        """A digest of the items' attributes, which the fingerprint leaves out; None if an older adi prepared them."""
        attributes = {name: info for name, info in (self.files or {}).items() if name.startswith("attributes/")}
        return digest_of(attributes, size=16) if attributes else None

    def side(self, *sides: str) -> tuple[FeatureInfo, ...]:
        """The features of the given sides ("user", "item", "context"), in the order of the schema."""
        return tuple(feature for feature in self.features if feature.side in sides)

    def to_frame(self) -> pa.Table:
        """A row for each domain: its rows of training, validation and test, its users, items and corpus."""
        return pa.Table.from_pylist(
            [{"domain": name, **counts.model_dump()} for name, counts in self.by_domain.items()]
        )

    def __repr__(self) -> str:
        rows, sizes = self.rows, f"{self.users:,} users, {self.items:,} items"
        return f"<Prepared dataset of {len(self.domains)} domains: {rows.kept:,} of {rows.read:,} rows, {sizes}>"

    def __str__(self) -> str:
        return repr(self)

    def _repr_html_(self) -> str:
        """A table for notebooks."""
        return html_of(self.to_frame())


def read_manifest(folder: Path) -> Manifest:
    """Read the manifest of a prepared dataset. Raises `AdiError` if the folder is not one of this format."""
    path = folder / FILE
    try:
        content = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise AdiError(
            f"{folder}: not a prepared dataset (no manifest.json). Make one with: adi prepare SCHEMA --out {folder}"
        ) from None
    try:
        manifest = Manifest.model_validate_json(unsealed(content, path, REMEDY))
    except ValidationError as error:
        raise AdiError(
            f"{path}: not a manifest that adi wrote in format {FORMAT} ({error.error_count()} faults). "
            "Prepare the dataset again."
        ) from None
    if manifest.format != FORMAT:
        raise AdiError(f"{path}: format {manifest.format}, and this adi reads format {FORMAT}. Prepare it again.")
    return manifest


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write or replace the manifest of a folder."""
    write_sealed(folder / FILE, manifest.model_dump_json(indent=1))


def check_dataset(folder: Path, manifest: Manifest, *, digests: bool) -> None:
    """Compare the files of a prepared dataset with its manifest: their sizes, and with `digests` every byte.

    Raises `AdiError` for a file that is missing or damaged; and for a manifest without digests, which an older adi
    wrote, if they are to be compared.
    """
    if digests and manifest.files is None:
        raise AdiError(
            f"{folder}: its manifest has no digests, since adi {manifest.adi} prepared it. Prepare it again; "
            "--no-verify works with it as it is."
        )
    check_files(folder, manifest.files or {}, digests=digests, remedy=REMEDY)


def with_validation_rows(manifest: Manifest) -> Manifest:
    """The manifest with the validation rows of each domain counted as training rows."""
    by_domain = {
        name: counts.model_copy(update={"train": counts.train + counts.validation, "validation": 0})
        for name, counts in manifest.by_domain.items()
    }
    return manifest.model_copy(update={"by_domain": by_domain})
