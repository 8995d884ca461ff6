"""Records with a digest of themselves, and the list of a folder's files."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adi.data.sealed import digest_of, files_in, unsealed, write_sealed
from adi.errors import AdiError

RECORD = {"name": "é", "files": {"a": {"size": 1, "digest": "00"}}, "none": None}


@pytest.fixture
def record(tmp_path):
    path = tmp_path / "record.json"
    write_sealed(path, json.dumps(RECORD, indent=1))
    return path


def test_a_record_is_json_with_a_digest(record):
    assert json.loads(record.read_bytes()).keys() == {*RECORD, "digest"}
    assert json.loads(unsealed(record.read_bytes(), record, "")) == RECORD


def test_every_flipped_bit_of_a_record_is_noticed(record):
    content = record.read_bytes()
    for position in range(len(content)):
        for bit in range(8):
            flipped = bytearray(content)
            flipped[position] ^= 1 << bit
            try:
                left = json.loads(unsealed(bytes(flipped), record, "Write it again."))
            except (AdiError, ValueError):  # noticed, or no JSON any more, or not text
                continue
            assert left.keys() - RECORD.keys(), "the key of the digest is another, and no record has such a key"


def test_another_content_is_named(record):
    record.write_bytes(record.read_bytes().replace(b"null", b"true"))
    with pytest.raises(AdiError, match=r"record\.json: other content than adi wrote\. Write it again\."):
        unsealed(record.read_bytes(), record, "Write it again.")


def test_a_record_without_a_digest_is_taken_as_it_is():
    assert unsealed(b'{"a": 1}', "record", "") == b'{"a": 1}'


@given(
    st.dictionaries(st.text(), st.integers() | st.text() | st.dictionaries(st.sampled_from(["digest", "a"]), st.text()))
)
def test_any_record_is_read_back(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "any.json"
    if content:
        write_sealed(path, json.dumps(content, indent=1))
        assert json.loads(unsealed(path.read_bytes(), path, "")) == content


def test_a_digest_is_of_names_and_bytes(tmp_path):
    def folder(name: str, **files: str) -> Path:
        for file, content in files.items():
            (tmp_path / name / "inner").mkdir(parents=True, exist_ok=True)
            (tmp_path / name / "inner" / file).write_text(content)
        return tmp_path / name

    def digest(folder: Path, leave_out: str = "") -> str:
        return digest_of(files_in(folder), size=16, leave_out=lambda name: name == leave_out)

    first = digest(folder("first", a="1", b="22"))
    others = folder("third", a="1", b="23"), folder("fourth", a="1", c="22"), folder("fifth", a="1")
    assert digest(folder("second", b="22", a="1")) == first
    assert len({first, *map(digest, others)}) == 4
    assert digest(tmp_path / "first", leave_out="inner/b") == digest(tmp_path / "fifth")


def test_files_and_folders_may_be_left_out(tmp_path):
    (tmp_path / "board").mkdir()
    for name in ("board/events", "kept", "left"):
        (tmp_path / name).write_text(name)
    assert list(files_in(tmp_path, ["board", "left"])) == ["kept"]
