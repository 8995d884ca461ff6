"""The origin of models that are not part of adi, as a run remembers it."""

import ast
import sys
from hashlib import blake2b
from pathlib import Path
from types import ModuleType

from adi.errors import ArgumentError
from adi.models.catalog import MODELS, model_of
from adi.models.model import Model
from adi.runs.info import ModelSource, RunInfo


def source_of(model: Model) -> ModelSource | None:
    """The import path and the source code's digest of a model; None for one of adi's own."""
    if MODELS.get(model.name) is model:
        return None
    for module in [*sys.modules.values()]:
        for name, value in [*getattr(module, "__dict__", {}).items()]:
            if value is model and not name.startswith("_"):
                return _source(module, name)
    return ModelSource(path=None, digest=None)


def model_of_run(folder: Path, info: RunInfo, model: str | Model | None) -> Model:
    """The model that a run was trained with; one from outside of adi must be given as `model`.

    Raises `ArgumentError` where it is not given, is another one, or has changed since.
    """
    if info.source is None:
        if model is not None and model_of(model).name != info.model:
            raise ArgumentError("model", f"{folder} was trained with adi's own model '{info.model}'. Leave it out.")
        return model_of(info.model)
    path = info.source.path
    if model is None:
        known = "one that no module holds" if path is None else path
        remedy = "the model object itself" if path is None else f"'{path}'"
        raise ArgumentError(
            "model",
            f"{folder} was trained with a model that is not part of adi: '{info.model}' ({known}). A run's folder "
            f"alone never makes adi import code; name the model yourself: {remedy}.",
        )
    outside = model_of(model)
    if outside.name != info.model:
        raise ArgumentError("model", f"{folder} was trained with '{info.model}', not with '{outside.name}'.")
    now = source_of(outside)
    if now is not None and None not in (now.digest, info.source.digest) and now.digest != info.source.digest:
        raise ArgumentError(
            "model",
            f"the source code of '{info.model}' ({now.path}) has changed since {folder} was trained. Give the former "
            "version, or train again.",
        )
    return outside


def code_without_comments(source: str) -> str:
    """A program without what only a reader sees: comments, docstrings and layout."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            node.body = [statement for statement in node.body if not _is_text(statement)] or [ast.Pass()]
    return ast.unparse(tree)


def _is_text(statement: ast.stmt) -> bool:
    """Whether a statement is a docstring, of whatever it documents."""
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def _source(module: ModuleType, name: str) -> ModelSource:
    """The source of the model that a module has under a name; a script is imported by the name of its file."""
    file = getattr(module, "__file__", None)
    if file is None or not file.endswith(".py"):
        return ModelSource(path=None, digest=None)
    module_name = Path(file).stem if module.__name__ == "__main__" else module.__name__
    code = code_without_comments(Path(file).read_text(encoding="utf-8"))
    return ModelSource(path=f"{module_name}:{name}", digest=blake2b(code.encode(), digest_size=8).hexdigest())
