"""Exit codes are those of one table, which the documentation has."""

import ast
import signal
import sys
from pathlib import Path

import adi.cli
from adi.cli import exit_codes
from adi.cli.exit_codes import MEANINGS

CLI = Path(adi.cli.__file__).parent
PAGES = Path(__file__).parents[2] / "docs" / "_ext"


def test_the_table_has_every_code_and_no_other() -> None:
    codes = [value for name, value in vars(exit_codes).items() if name.isupper() and isinstance(value, int)]
    assert sorted(codes) == sorted(MEANINGS)
    assert (128 + signal.SIGINT, 128 + signal.SIGPIPE, 128 + signal.SIGTERM) == (130, 141, 143)
    assert {exit_codes.INTERRUPTED, exit_codes.BROKEN_PIPE, exit_codes.TERMINATED} == {130, 141, 143}


def test_no_command_ends_with_a_code_of_its_own() -> None:
    """Exit(3) and SystemExit(3) go by the names of the table."""
    numbers = [
        f"{path.name}, line {call.lineno}"
        for path in CLI.glob("*.py")
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(call, ast.Call) and ast.unparse(call.func).endswith(("Exit", "sys.exit", "_stop"))
        if any(isinstance(value, ast.Constant) and isinstance(value.value, int) for value in call.args)
    ]
    assert numbers == []


def test_the_reference_has_the_table(monkeypatch) -> None:
    monkeypatch.syspath_prepend(str(PAGES))
    monkeypatch.delitem(sys.modules, "reference_pages", raising=False)
    import reference_pages

    page = list(reference_pages.command_line())
    assert [line for line in page if line[:3] == "| 3"] == [
        "| 3 | a regression that `adi compare --gate` or `adi abtest --gate` found, or untrusted estimates |"
    ]
    guide = (PAGES.parent / "pipelines.md").read_text(encoding="utf-8").splitlines()
    for code, meaning in MEANINGS.items():
        assert f"| {code} | {meaning} |" in page
        assert f"| {code} | {meaning} |" in guide


def test_codes_of_commands(adi, pipeline, tmp_path: Path) -> None:
    assert adi("verify", pipeline.folder / "run").returncode == exit_codes.DONE
    (tmp_path / "file").touch()
    assert adi("verify", tmp_path).returncode == exit_codes.INPUT
    assert adi("verify", "--no-such-option").returncode == exit_codes.INPUT
