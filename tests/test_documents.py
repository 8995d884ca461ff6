"""Hostile YAML: whatever a file holds, or is, reading it ends soon, with its content or an error that names it."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from adi.documents import MOST_BYTES, MOST_VALUES, parse_document, read_document
from adi.errors import AdiError
from adi.router.table import load_table
from adi.schema import Schema, load_schema
from adi.serving.experiment import load_experiment
from adi.strict import MOST_FAULTS, read_yaml

SECONDS = 30
"""After which a test is ended: each of these took minutes, or for ever, with a reader without limits."""


@pytest.fixture(autouse=True)
def ends() -> Iterator[None]:
    def too_long(number: int, frame: object) -> None:
        raise TimeoutError(f"not read in {SECONDS} seconds")

    former = signal.signal(signal.SIGALRM, too_long)
    signal.alarm(SECONDS)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, former)


def powers(first: str, times: str) -> str:
    """Thirty lines, each of which repeats the one before."""
    return f"a0: &a0 {first}\n" + "".join(f"a{n}: &a{n} {times.replace('*', f'*a{n - 1}')}\n" for n in range(1, 30))


HOSTILE = {
    "lists 5,000 deep": ("[" * 5000 + "]" * 5000, "maximum nesting depth|more than 50 levels"),
    "mappings 5,000 deep": ("{a: " * 5000 + "}" * 5000, r"line 1, column 201: more than 50 levels"),
    "dashes 5,000 deep": ("- " * 5000 + "x", "more than 50 levels"),
    "indented 1,000 deep": ("\n".join(" " * n + "a:" for n in range(1000)), "line 51, column 51: more than 50 levels"),
    "a million brackets": ("[" * 1_000_000, "maximum nesting depth|more than 50 levels"),
    "aliases of aliases": (powers("[x]", "[*, *, *]"), "more than 50,000 values, with those that aliases repeat"),
    "merged aliases": (powers("{x: 1}", "{<<: [*, *, *]}"), "more than 50,000 values, with those that aliases repeat"),
    "an alias of itself": ("a: &a [*a]", r"'\*a' is not defined before it"),
    "an alias of nothing": ("a: *b", r"'\*b' is not defined before it"),
    "an integer of 5,000 digits": ("a:\n  " + "9" * 5000, "line 2, column 3: a number of 5,000 characters"),
    "one in hexadecimal": ("a: 0x" + "f" * 5000, "a number of 5,002 characters"),
    "one of minutes": ("a: 1" + ":1" * 400_000, "a number of 800,001 characters"),
    "a fraction of 5,000 digits": ("a: 1." + "1" * 5000, "a number of 5,002 characters"),
    "a date that is none": ("a: 2026-13-41", r"'2026-13-41' is no value \(month must be in 1\.\.12\)"),
    "a key that comes twice": ("a: 1\nb:\n  c: 1\n  c: 2", "line 4, column 3: the key 'c' comes twice"),
    "many values": ("[" + "1," * 400_000 + "]", "more than 50,000 values"),
    "many documents": ("---\n" * 200_000, "more than 50,000 values|expected a single document"),
    "two documents": ("a: 1\n---\na: 2", "expected a single document"),
    "a tab": ("a:\n\tb: 1", "line 2, column 1: .*cannot start any token"),
    "a null character": ("a: \0", r"control characters are not allowed \(character 4\)"),
    "a list as a key": ("{[1]: 2}", "unhashable key"),
    "code": ("a: !!python/object/apply:os.system [ls]", "could not determine a constructor"),
    "bytes that are none": ("a: !!binary 'x'", "failed to decode base64"),
}


@pytest.mark.parametrize(("text", "fault"), HOSTILE.values(), ids=HOSTILE)
def test_hostile_content_is_an_error_that_names_the_file(tmp_path: Path, text: str, fault: str) -> None:
    path = tmp_path / "given.yaml"
    path.write_text(text)
    with pytest.raises(AdiError, match=rf"given\.yaml: not readable as YAML: .*({fault})") as error:
        read_document(path)
    assert len(str(error.value)) < 1000
    assert "\n" not in str(error.value)


def unwritten_pipe(path: Path) -> None:
    os.mkfifo(path)


def of_100_mb(path: Path) -> None:
    path.touch()
    os.truncate(path, 100_000_000)


FILES = {
    "a pipe that nobody writes": (unwritten_pipe, "is no regular file"),
    "a device": (lambda path: path.symlink_to("/dev/zero"), "is no regular file"),
    "a folder": (lambda path: path.mkdir(), r"cannot be read \(Is a directory\)"),
    "a link to itself": (lambda path: path.symlink_to(path), r"cannot be read \(Too many levels of symbolic links\)"),
    "nothing": (lambda path: None, r"cannot be read \(No such file or directory\)"),
    "100 MB": (of_100_mb, "has more than 1,048,576 b"),
    "not UTF-8": (lambda path: path.write_bytes(b"a: caf\xe9"), r"not readable as YAML: .*0xe9.* Save it as UTF-8\."),
}


@pytest.mark.parametrize(("make", "fault"), FILES.values(), ids=FILES)
def test_what_is_no_file_of_text_is_an_error_that_names_it(tmp_path: Path, make, fault: str) -> None:
    path = tmp_path / "given.yaml"
    make(path)
    with pytest.raises(AdiError, match=rf"given\.yaml: ({fault})"):
        read_document(path)


def test_what_is_allowed_is_read(tmp_path: Path) -> None:
    path = tmp_path / "given.yaml"
    path.write_text(
        "\ufeffbase: &base {lr: 0.1, networks: [8, 4]}\nmore:\n  <<: *base\n  lr: 1\nnight: 2026-01-02\nö: '1'\n"
    )
    content = read_document(path)
    assert list(content) == ["base", "more", "night", "ö"]
    assert content["more"] == {"lr": 1, "networks": [8, 4]}
    assert parse_document("", "nothing") is None
    assert parse_document("# " + "x" * MOST_BYTES, "a comment") is None
    assert len(parse_document("[" + "1," * (MOST_VALUES - 1) + "]", "all")) == MOST_VALUES - 1


@pytest.mark.parametrize("load", [load_schema, load_table, load_experiment])
@pytest.mark.parametrize("make", [make for name, (make, _) in FILES.items() if name != "nothing"])
def test_every_file_is_read_by_it(tmp_path: Path, load, make) -> None:
    path = tmp_path / "given.yaml"
    make(path)
    if path.is_dir() and load is load_schema:  # a folder of tables with their schema
        return
    with pytest.raises(AdiError, match=r"given\.yaml: "):
        load(path)


@pytest.mark.parametrize("option", ["--config", "--space"])
@pytest.mark.parametrize("make", [make for make, _ in FILES.values()])
def test_so_are_those_of_options(tmp_path: Path, option: str, make) -> None:
    from adi.cli.settings import read_mapping

    path = tmp_path / "given.yaml"
    make(path)
    with pytest.raises(AdiError, match=rf"^{option}: .*given\.yaml: "):
        read_mapping(path, option=option, meaning="")


@pytest.mark.parametrize("empty", ["", "# nothing\n", "null", "[]", "text"])
def test_an_empty_file_or_one_without_keys_lacks_them_all(tmp_path: Path, empty: str) -> None:
    path = tmp_path / "given.yaml"
    path.write_text(empty)
    with pytest.raises(AdiError, match=r"given\.yaml: is to be a mapping with the keys domains, interactions"):
        load_schema(path)


def test_of_twenty_thousand_unknown_keys_ten_are_named(tmp_path: Path) -> None:
    path = tmp_path / "given.yaml"
    path.write_text("\n".join(f"interaction{n}: {n}" for n in range(20_000)))
    with pytest.raises(AdiError) as error:
        read_yaml(path, Schema)
    lines = str(error.value).splitlines()
    assert len(lines) == 2 + MOST_FAULTS
    assert "interaction1: is not a known key. Did you mean 'interactions'?" in "\n".join(lines)
    assert lines[-1].strip() == "and 19,993 faults more."


def test_long_keys_and_values_are_shortened(tmp_path: Path) -> None:
    path = tmp_path / "given.yaml"
    path.write_text(f"? {'k' * 500_000}\n: 1\ndomains: {'v' * 500_000}\n")
    with pytest.raises(AdiError) as error:
        load_schema(path)
    assert "k" * 100 + "...: is not a known key." in str(error.value)
    assert len(str(error.value)) < 2000
