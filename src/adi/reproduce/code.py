"""The identity of the code that makes results: two grids may share cells only where it is the same."""

import ast
from functools import cache
from hashlib import blake2b
from pathlib import Path

import adi

SHOWING = frozenset(
    {"__init__", "cli", "guessing", "report", "reproduce", "tuning"}
    | {"bundle", "exporting", "filters", "index", "retrieval", "serving", "thread_budget", "timing"}
)
"""Parts of the package that make no results: they call, show, serve or search for what others compute, or draft a
schema. Any other part counts."""


@cache
def this_code() -> str:
    """The digest of this adi."""
    return code_digest(Path(adi.__file__).parent)


def code_digest(package: Path) -> str:
    """A digest of the source of every part of a package that decides what a training and its evaluation give.

    It is taken of the syntax, so that comments, docstrings and layout may change.
    """
    digest = blake2b(digest_size=8)
    for path in sorted(package.rglob("*.py")):
        place = path.relative_to(package).with_suffix("")
        if place.parts[0] not in SHOWING:
            digest.update(f"{place.as_posix()}\n{_syntax(path.read_text(encoding='utf-8'))}\n".encode())
    return digest.hexdigest()


def _syntax(source: str) -> str:
    """The program without what only a reader sees."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            node.body = [statement for statement in node.body if not _is_text(statement)] or [ast.Pass()]
    return ast.unparse(tree)


def _is_text(statement: ast.stmt) -> bool:
    """A docstring, of whatever it documents."""
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
