"""Provenance of custom models: the import path and source digest that a run records, and their check."""

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
    """The import path and the digest of the source code of a custom model; None for a built-in one."""
    if MODELS.get(model.name) is model:
        return None
    holders = [
        (module, name)
        for module in [*sys.modules.values()]
        for name, value in [*getattr(module, "__dict__", {}).items()]
        if value is model and not name.startswith("_")
    ]
    # Modules that import the model hold it, too: its source is the module that assigns it.
    definitions = [_source(module, name) for module, name in holders if _assigns(module, name)]
    return definitions[0] if definitions else ModelSource(path=None, digest=None)


def model_of_run(folder: Path, info: RunInfo, model: str | Model | None) -> Model:
    """The model that a run was trained with; a custom model must be passed as `model`.

    Raises `ArgumentError` if a custom model is missing, is not the run's, or has changed since the training.
    """
    if info.source is None:
        if model is not None and model_of(model).name != info.model:
            raise ArgumentError("model", f"{folder} was trained with the built-in model '{info.model}'. Leave it out.")
        return model_of(info.model)
    path = info.source.path
    if model is None:
        origin = "not defined in an importable module" if path is None else path
        remedy = "the model object itself" if path is None else f"'{path}'"
        raise ArgumentError(
            "model",
            f"{folder} was trained with a custom model, '{info.model}' ({origin}). adi does not import code because a "
            f"run names it; pass the model explicitly: {remedy}.",
        )
    custom = model_of(model)
    if custom.name != info.model:
        raise ArgumentError("model", f"{folder} was trained with '{info.model}', not with '{custom.name}'.")
    current = source_of(custom)
    if (
        current is not None
        and None not in (current.digest, info.source.digest)
        and current.digest != info.source.digest
    ):
        raise ArgumentError(
            "model",
            f"the source code of '{info.model}' ({current.path}) has changed since {folder} was trained. Restore that "
            "version, or train again.",
        )
    return custom


def code_without_comments(source: str) -> str:
    """Remove comments, docstrings and layout from a program, so that only changes of the code itself remain."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            node.body = [statement for statement in node.body if not _is_text(statement)] or [ast.Pass()]
    return ast.unparse(tree)


def _is_text(statement: ast.stmt) -> bool:
    """Whether a statement is a docstring, or another constant that has no effect."""
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def _assigns(module: ModuleType, name: str) -> bool:
    """Whether a statement of the module's source file assigns the name."""
    file = _file_of(module)
    if file is None:
        return False
    targets: list[ast.expr] = []
    for statement in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(statement, ast.Assign):
            targets += statement.targets
        elif isinstance(statement, ast.AnnAssign):
            targets.append(statement.target)
    return any(isinstance(target, ast.Name) and target.id == name for target in targets)


def _source(module: ModuleType, name: str) -> ModelSource:
    """The source of a model that a module assigns; a script is imported by the name of its file."""
    file = _file_of(module)
    assert file is not None
    module_name = file.stem if module.__name__ == "__main__" else module.__name__
    code = code_without_comments(file.read_text(encoding="utf-8"))
    return ModelSource(path=f"{module_name}:{name}", digest=blake2b(code.encode(), digest_size=8).hexdigest())


def _file_of(module: ModuleType) -> Path | None:
    """The source file of a module; None for one without, such as a notebook."""
    file = getattr(module, "__file__", None)
    return Path(file) if file is not None and file.endswith(".py") else None
