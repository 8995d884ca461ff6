"""A bundle in an object store: copied whole, compared, and once for each version."""

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import fsspec
import pytest

from adi.bundle.manifest import parse_bundle_info, read_bundle_info, version_of
from adi.bundle.remote import CACHE, is_remote, local_copy
from adi.errors import AdiError, ArgumentError
from adi.retrieval.retriever import Retriever
from adi.serving import server


@pytest.fixture
def store(bundles):
    """A store in memory that has a bundle at memory://models/bundle."""
    memory = fsspec.filesystem("memory")
    memory.put(str(bundles[0]), "/models/bundle", recursive=True)
    yield memory
    memory.rm("/models", recursive=True)


def test_the_copy_answers_as_the_bundle(store, bundles, tmp_path):
    copy = local_copy("memory://models/bundle", tmp_path)
    info = read_bundle_info(bundles[0])
    assert copy == tmp_path / info.version
    assert read_bundle_info(copy, verify=True) == info
    expected = Retriever(bundles[0]).retrieve("search", user="ana", k=5)
    assert Retriever(copy).retrieve("search", user="ana", k=5) == expected


def test_a_version_is_copied_once(bundles, tmp_path, monkeypatch):
    address = f"file://{bundles[0]}"
    with ThreadPoolExecutor(4) as pool:  # servers that start together
        copies = set(pool.map(lambda _: local_copy(address, tmp_path), range(4)))
    assert len(copies) == 1
    assert list(tmp_path.iterdir()) == list(copies)

    def get_file(*_):
        pytest.fail("copied again")

    monkeypatch.setattr(type(fsspec.filesystem("file")), "get_file", get_file)
    assert {local_copy(address, tmp_path)} == copies


def test_a_changed_byte_and_a_missing_file_are_refused(store, bundles, tmp_path):
    name = next(name for name, file in read_bundle_info(bundles[0]).files.items() if file.size)
    content = store.cat_file(f"/models/bundle/{name}")
    store.pipe_file(f"/models/bundle/{name}", bytes([content[0] ^ 1]) + content[1:])
    with pytest.raises(AdiError, match=r"other content than was written"):
        local_copy("memory://models/bundle", tmp_path)
    store.rm(f"/models/bundle/{name}")
    with pytest.raises(AdiError, match=rf"memory://models/bundle: {name} cannot be copied"):
        local_copy("memory://models/bundle", tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_file_outside_of_the_bundle_is_not_written(store, tmp_path):
    info = parse_bundle_info(store.cat_file("/models/bundle/bundle.json"), "bundle")
    (_, file), *others = info.files.items()
    files = {"../outside": file, **dict(others)}
    changed = info.model_copy(update={"files": files, "version": version_of(files)})
    store.pipe_file("/models/bundle/bundle.json", changed.model_dump_json().encode())
    with pytest.raises(AdiError, match=r"names the file '\.\./outside', which is outside of the bundle"):
        local_copy("memory://models/bundle", tmp_path / "cache")
    assert not (tmp_path / "outside").exists()


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("memory://models/nothing", r"memory://models/nothing: cannot be read"),
        ("nosuch://models/bundle", r"nosuch://models/bundle: cannot be read \(Protocol not known: nosuch"),
    ],
)
def test_what_cannot_be_read(store, tmp_path, address, reason):
    with pytest.raises(ArgumentError, match=reason):
        local_copy(address, tmp_path)


def test_something_else_than_a_bundle(store, tmp_path):
    store.pipe_file("/models/bundle/bundle.json", b"{}")
    with pytest.raises(AdiError, match=r"memory://models/bundle/bundle\.json: not a manifest that this adi wrote"):
        local_copy("memory://models/bundle", tmp_path)


def test_the_server_opens_the_copy(store, tmp_path, monkeypatch):
    opened = []

    def stop(source, *_, **__):
        opened.append(source)
        raise KeyboardInterrupt

    monkeypatch.setenv(CACHE, str(tmp_path))
    monkeypatch.setattr(server, "Service", stop)
    with pytest.raises(KeyboardInterrupt):
        server.serve("memory://models/bundle")
    assert opened[0].parent == tmp_path
    assert Retriever(opened[0]).retrieve("search", user="ana", k=1).ids
    shutil.rmtree(tmp_path)


def test_a_path_is_not_remote():
    assert not is_remote(Path("models/bundle"))
    assert is_remote("s3://models/bundle")
