"""`adi.verify`: whether the files of a prepared dataset, a run or a bundle are as they were written."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

from pydantic import Field

from adi.bundle.manifest import MANIFEST as BUNDLE
from adi.bundle.manifest import read_bundle_manifest
from adi.data.manifest import FILE as DATASET
from adi.data.manifest import read_manifest
from adi.data.sealed import Files, faults_of
from adi.errors import AdiError
from adi.runs.baselines import read_baselines
from adi.runs.by_feature import INTEREST, read_by_feature
from adi.runs.epochs import read_epochs
from adi.runs.info import FILE as RUN
from adi.runs.info import read_info
from adi.runs.lists import read_lists
from adi.runs.metrics import FILE as METRICS
from adi.runs.ranks import read_ranks
from adi.runs.run import Run, read_run
from adi.runs.self_training import read_audit
from adi.strict import Strict

Kind = Literal["dataset", "run", "bundle"]


class Verification(Strict):
    """The result of a verification: the number of `files` that were compared, their size, and the `faults` in words."""

    folder: str
    kind: Kind
    files: int
    size: int = Field(description="In bytes.")
    faults: tuple[str, ...]

    def __str__(self) -> str:
        state = "as written" if not self.faults else f"{len(self.faults)} damaged or missing"
        return f"{self.folder}: {self.kind}, {self.files:,} files, {self.size:,} bytes, {state}."


def verify(folder: str | Path) -> Verification:
    """Compare every byte of a prepared dataset, a run or a bundle with the digests in its manifest.

        assert not adi.verify("bundle").faults

    Returns all faults. Raises `AdiError` for a folder that is none of the three, and for one without digests, which an
    older adi wrote.
    """
    folder = Path(folder)
    for name, (kind, check) in CHECKS.items():
        if (folder / name).is_file():
            try:
                files, others = check(folder)
            except AdiError as error:  # of the manifest, without which nothing else can be checked
                return Verification(folder=str(folder), kind=kind, files=1, size=0, faults=(str(error).rstrip("."),))
            if files is None:
                raise AdiError(f"{folder}: has no digests, since an older adi wrote it. Write it again.")
            faults = (*faults_of(folder, files), *others)
            size = sum(info.size for info in files.values())
            return Verification(folder=str(folder), kind=kind, files=len(files) + 1, size=size, faults=faults)
    raise AdiError(f"{folder}: not a prepared dataset, a run or a bundle (none of {', '.join(CHECKS)}).")


def _dataset(folder: Path) -> tuple[Files | None, Iterator[str]]:
    return read_manifest(folder).files, iter(())


def _run(folder: Path) -> tuple[Files | None, Iterator[str]]:
    info = read_info(folder)
    files = {} if info.status == "training" else info.files
    return files, _faults_of_others(folder, files or {})


def _bundle(folder: Path) -> tuple[Files | None, Iterator[str]]:
    return read_bundle_manifest(folder).files, iter(())


CHECKS: dict[str, tuple[Kind, Callable[[Path], tuple[Files | None, Iterator[str]]]]] = {
    BUNDLE: ("bundle", _bundle),
    RUN: ("run", _run),
    DATASET: ("dataset", _dataset),
}
"""By the name of a manifest: the kind of its folder, and what gives its files and the faults of others."""


def _check_lists(run: Run) -> None:
    """Read the lists of an evaluation; one of an older adi has none."""
    if run.metrics.lists is not None:
        read_lists(run)


def _faults_of_others(run: Path, files: Files) -> Iterator[str]:
    """The faults of a run's files that its record does not name: of evaluations, and of an unfinished training."""
    checks: list[tuple[str, Callable[[], object]]] = [
        ("log.jsonl", lambda: read_epochs(run)),
        ("baselines.json", lambda: read_baselines(run)),
        ("self_training.json", lambda: read_audit(run)),
        (INTEREST, lambda: read_by_feature(run / INTEREST)),
        (METRICS, lambda: read_run(run)),
        (METRICS, lambda: read_ranks(read_run(run))),
        (METRICS, lambda: _check_lists(read_run(run))),
    ]
    for name, read in checks:
        if name not in files and (run / name).exists():
            try:
                read()
            except AdiError as error:
                yield str(error).rstrip(".")
    for checkpoint in sorted(run.glob("*checkpoint*.safetensors")):
        from adi.training.tensor_file import check_tensors

        try:
            check_tensors(checkpoint)
        except AdiError as error:
            yield str(error).rstrip(".")
