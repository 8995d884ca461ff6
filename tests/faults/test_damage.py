"""Files that change on a disk or in a copy: whatever is damaged, the next work that relies on it names the file.

Every file of a prepared dataset, a run, a checkpoint and a bundle is damaged in turn: a flipped bit near its start, in
its middle and at its end, the last byte cut off, and the whole file gone.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from adi.data.dataset import Dataset
from adi.errors import AdiError
from adi.exporting.export import export
from adi.retrieval.retriever import Retriever
from adi.runs.info import FILE as RUN
from adi.runs.lists import read_lists
from adi.runs.ranks import read_ranks
from adi.runs.run import read_run
from adi.serving.live import open_bundle
from adi.training.evaluation import evaluate_run
from adi.training.fitted import open_run
from adi.training.train import train
from adi.verification import verify

SETTINGS = {"epochs": 1, "embedding_dim": 4, "dim": 4, "networks": (4,), "embedding_sets": 1, "uniform": 20}


@pytest.fixture(scope="session")
def made(market):
    """A folder with a prepared dataset, an evaluated run of it, one that was stopped, and a bundle."""
    train(market / "prepared", "adi-se", market / "run", settings=SETTINGS, progress=False)
    evaluate_run(market / "run", progress=False)
    export(market / "run", market / "bundle", progress=False)
    stop(market / "prepared", market / "stopped")
    return market


def stop(prepared, run):
    """Start a training and stop it after its second checkpoint."""

    class Stop:
        def step(self, *, step, **_):
            if step > 1:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(
            prepared, "dnn", run, settings=SETTINGS | {"batch_size": 64, "checkpoint_steps": 1, "epochs": 2},
            progress=False, baselines=False, observer=Stop(),
        )  # fmt: skip


def damages(content: bytes) -> Iterator[tuple[str, bytes | None]]:
    """The content of a file after each damage, None if it is gone."""
    for name, position in (("start", len(content) // 50), ("middle", len(content) // 2), ("end", len(content) - 1)):
        if content:
            flipped = bytearray(content)
            flipped[position] ^= 1 << position % 8
            yield name, bytes(flipped)
    if content:
        yield "cut", content[:-1]
    yield "gone", None


def check_every_damage(folder: Path, files: list[Path], use) -> int:
    """Damage each of the files in turn; `use` of the folder must then raise `AdiError` that names the file."""
    trials = 0
    for file in files:
        content = file.read_bytes()
        for name, damaged in damages(content):
            file.unlink()
            if damaged is not None:
                file.write_bytes(damaged)
            faults = verify_faults(folder)
            with pytest.raises(AdiError) as raised:
                use()
            assert file.name in str(raised.value) or file.name in ("manifest.json", "bundle.json", RUN), name
            if (file.name, name) != ("metrics.json", "gone"):  # a run that was not evaluated lacks nothing
                assert any(file.name in fault for fault in faults), (file, name, faults)
            trials += 1
        file.write_bytes(content)
    use()
    assert not verify_faults(folder)
    return trials


def verify_faults(folder: Path) -> tuple[str, ...]:
    try:
        return verify(folder).faults
    except AdiError as error:  # where the manifest is gone, by which the kind of a folder is known
        return (f"{error} manifest.json bundle.json run.json",)


def files_of(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file() and "tensorboard" not in path.parts)


@pytest.fixture
def copied(made, tmp_path):
    """A function that copies a folder, with the folders that it refers to."""

    def copy(*names: str) -> Path:
        for name in names:
            shutil.copytree(made / name, tmp_path / name)
        return tmp_path / names[-1]

    return copy


def test_damage_of_a_prepared_dataset_is_found_before_work_starts(copied):
    prepared = copied("prepared")
    assert check_every_damage(prepared, files_of(prepared), lambda: Dataset(prepared).verify()) > 200


def test_training_and_evaluation_check_the_dataset_unless_told_not_to(copied, tmp_path):
    prepared = copied("run", "prepared")
    array = prepared / "interactions" / "item.npy"
    content = bytearray(array.read_bytes())
    content[-4] ^= 1
    array.write_bytes(bytes(content))
    with pytest.raises(AdiError, match=r"item\.npy: other content than was written\. Copy the dataset again"):
        train(prepared, "dnn", tmp_path / "new", settings=SETTINGS, progress=False)
    assert not (tmp_path / "new").exists()
    with pytest.raises(AdiError, match=r"item\.npy: other content"):
        evaluate_run(tmp_path / "run", progress=False)
    with pytest.raises(AdiError, match=r"item\.npy: other content"):
        export(tmp_path / "run", tmp_path / "bundle", progress=False)
    evaluate_run(tmp_path / "run", verify=False, progress=False)
    train(prepared, "popularity", tmp_path / "new", verify=False, progress=False)


def test_damage_of_a_run_is_found_when_it_is_opened(copied):
    run = copied("prepared", "run")
    later = {"metrics.json", "ranks.parquet", "lists.parquet", "interest.json"}
    files = [path for path in files_of(run) if path.name not in later]
    assert check_every_damage(run, files, lambda: open_run(run, verify=True)) > 40


def test_damage_of_an_evaluation_is_found_when_it_is_read(copied):
    run = copied("prepared", "run")
    files = [run / name for name in ("metrics.json", "ranks.parquet", "lists.parquet")]
    assert check_every_damage(run, files, lambda: [read(read_run(run)) for read in (read_ranks, read_lists)]) == 15


def test_damage_of_a_checkpoint_is_found_by_resuming(copied, tmp_path):
    run = copied("prepared", "stopped")

    def resume():
        shutil.rmtree(tmp_path / "again", ignore_errors=True)
        shutil.copytree(run, tmp_path / "again")
        settings = SETTINGS | {"batch_size": 64, "checkpoint_steps": 1, "epochs": 2}
        train(
            tmp_path / "prepared", "dnn", tmp_path / "again", settings=settings, progress=False, baselines=False,
            resume=True,
        )  # fmt: skip

    checkpoint = run / "checkpoint.safetensors"
    content = checkpoint.read_bytes()
    for name, damaged in damages(content):
        if damaged is None:
            checkpoint.unlink()
            resume()  # from the first step, as if it had been stopped before its first checkpoint
            continue
        checkpoint.write_bytes(damaged)
        assert any("checkpoint" in fault for fault in verify(run).faults), name
        with pytest.raises(AdiError, match=r"checkpoint\.safetensors"):
            resume()
    checkpoint.write_bytes(content)
    resume()


def test_damage_of_a_bundle_is_found_before_it_is_served(copied):
    bundle = copied("bundle")
    assert check_every_damage(bundle, files_of(bundle), lambda: open_bundle(bundle, verify=True)) > 200
    assert Retriever(bundle, verify=True).retrieve("search", history=[], k=1)


def test_offsets_out_of_range_are_refused_though_nothing_is_verified(copied):
    """A flipped bit in them would read, or make room for, any number of rows."""
    prepared = copied("prepared")
    for name in ("interactions/user_offsets", "corpus/offsets", "features/item/tags.offsets", "test/before"):
        array = prepared / f"{name}.npy"
        content = array.read_bytes()
        flipped = bytearray(content)
        flipped[-2 if name == "test/before" else -12] ^= 64
        array.write_bytes(bytes(flipped))
        with pytest.raises(AdiError, match=r"damaged, (not the offsets|with more rows)"):
            use_rows(Dataset(prepared))
        array.write_bytes(content)
    use_rows(Dataset(prepared))


def use_rows(dataset: Dataset) -> None:
    from adi.features.reader import FeatureReader

    _ = dataset.corpora
    reader = FeatureReader(dataset)
    reader.user_bags(dataset.queries("test", dataset.rows("test")))


def test_a_manifest_that_names_files_outside_is_refused(copied):
    from adi.data.manifest import read_manifest, write_manifest

    prepared = copied("prepared")
    manifest = read_manifest(prepared)
    outside = {"../other": next(iter((manifest.files or {}).values()))}
    write_manifest(prepared, manifest.model_copy(update={"files": outside}))
    with pytest.raises(AdiError, match="outside of the folder"):
        Dataset(prepared)
    assert len(verify(prepared).faults) == 1


def test_data_of_an_older_adi_have_no_digests(copied, tmp_path):
    from adi.data.manifest import read_manifest, write_manifest

    prepared = copied("prepared")
    write_manifest(prepared, read_manifest(prepared).model_copy(update={"files": None}))
    with pytest.raises(AdiError, match="has no digests, since an older adi wrote it"):
        verify(prepared)
    with pytest.raises(AdiError, match=r"no digests, since adi .* prepared it"):
        train(prepared, "popularity", tmp_path / "run", progress=False)
    train(prepared, "popularity", tmp_path / "run", verify=False, progress=False)


def test_verify_refuses_other_folders(tmp_path):
    with pytest.raises(AdiError, match="not a prepared dataset, a run or a bundle"):
        verify(tmp_path)
