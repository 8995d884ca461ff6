"""``run.json``: the model, settings, seed and dataset of a run, and whether its training is complete."""

from hashlib import blake2b
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError

from adi.data.blend import BlendWeights, Similarity
from adi.data.sealed import FileInfo, check_files, unsealed, write_sealed
from adi.errors import AdiError
from adi.runs.record import Record
from adi.strict import describe

FORMAT = 1
"""Version of the layout of a run's folder; runs of another version are refused."""

FILE = "run.json"
REMEDY = "Copy the run again, or train it again."


class ModelSource(Record):
    """The origin of a custom model.

    `path` is its import path ``package.module:NAME``, None if its module cannot be imported, such as a notebook.
    `digest` is a digest of its source code, None if there is no file.
    """

    path: str | None
    digest: str | None


class RunInfo(Record):
    """The content of ``run.json``.

    `prepared` is the path of the prepared dataset, relative to the run's folder. `kept` is the epoch whose weights
    score each domain, the same for all domains except with ``keep: domain``. After a `refit`, they are the weights of
    as many epochs on the training and validation rows. `notes` explain where the training departed from the settings,
    and why. `blend` has the weights of a blend by domain (`adi.data.blend.BlendWeights`); None without a blend. Its
    similarity is `blend_similarity`, which the record of an older adi does not have: cosine.
    `by_data` has the reason of each setting that the data decided (`adi.training.defaults`). `files` are those that the
    training left when it had ended, None before and in the record of an older adi; an evaluation adds others.
    """

    format: int = FORMAT
    model: str
    source: ModelSource | None = None
    seed: int
    status: Literal["training", "complete"]
    created: str
    domains: tuple[str, ...]
    prepared: str
    fingerprint: str
    parameters: int | None = None
    kept: dict[str, int] | None = None
    refit: bool = False
    blend: dict[str, BlendWeights] | None = None
    blend_similarity: Similarity = "cosine"
    versions: dict[str, str]
    config: dict[str, Any]
    notes: tuple[str, ...] = ()
    by_data: dict[str, str] = Field(default_factory=dict)
    files: dict[str, FileInfo] | None = None

    @property
    def digest(self) -> str:
        """A digest of the record, which no other training has."""
        return blake2b(self.model_dump_json().encode(), digest_size=16).hexdigest()

    def __repr__(self) -> str:
        size = "" if self.parameters is None else f", {self.parameters:,} parameters"
        epochs = "" if self.kept is None else f", epoch {', '.join(map(str, sorted(set(self.kept.values()))))} kept"
        return f"<Run of {self.model}, seed {self.seed}, {self.status}: {len(self.domains)} domains{size}{epochs}>"

    def __str__(self) -> str:
        return repr(self)

    def decided(self) -> str:
        """The settings that the data decided, with the reasons, in one line; empty if there are none."""
        values = {name: value for section in self.config.values() for name, value in section.items()}
        return "; ".join(f"{name} {_in_words(values[name])} ({why})" for name, why in self.by_data.items())


def _in_words(value: object) -> str:
    return (" and ".join(map(str, value)) or "none") if isinstance(value, list | tuple) else str(value)


def read_info(folder: Path) -> RunInfo:
    """Read ``run.json``. Raises `AdiError` if it is missing, malformed, or of another format."""
    path = folder / FILE
    try:
        info = RunInfo.model_validate_json(unsealed(path.read_bytes(), path, REMEDY))
    except (FileNotFoundError, NotADirectoryError):
        raise AdiError(
            f"{folder}: not a run (no {FILE}). Make one with: adi train PREPARED --model adi-se --out {folder}"
        ) from None
    except ValidationError as error:
        raise AdiError(f"{path}: malformed: {describe(error, RunInfo)}. Train the run again.") from None
    if info.format != FORMAT:
        raise AdiError(f"{path}: format {info.format}, and this adi reads format {FORMAT}. Train the run again.")
    return info


def read_complete_info(folder: Path) -> RunInfo:
    """Read ``run.json`` of a complete run. Raises `AdiError` as `read_info` does, and for an unfinished run."""
    info = read_info(folder)
    if info.status != "complete":
        raise AdiError(f"{folder}: the training did not finish. Continue with: adi train ... --out {folder} --resume")
    return info


def write_info(folder: Path, info: RunInfo) -> None:
    """Write or replace ``run.json``."""
    write_sealed(folder / FILE, info.model_dump_json(indent=1))


def check_run(folder: Path, info: RunInfo, *, digests: bool) -> None:
    """Compare the files that a training left with the record: their sizes, and with `digests` every byte.

    Raises `AdiError` for a file that is missing or damaged; and for a record without digests, which an older adi wrote,
    if they are to be compared.
    """
    if digests and info.status == "complete" and info.files is None:
        raise AdiError(
            f"{folder}: its run.json has no digests, since an older adi wrote it. Train the run again; --no-verify "
            "works with it as it is."
        )
    check_files(folder, info.files or {}, digests=digests, remedy=REMEDY)


def weights_file(folder: Path, by_domain: bool, epoch: int) -> Path:
    """The file with the weights of an epoch; `by_domain` for a run in which each domain keeps its own best epoch."""
    return folder / (f"model-{epoch}.safetensors" if by_domain else "model.safetensors")
