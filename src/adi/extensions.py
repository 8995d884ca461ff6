"""Objects from outside of adi, such as your own model or metric, by their import path ``package.module:NAME``."""

import sys
from importlib import import_module
from pathlib import Path
from typing import TypeVar

from adi.errors import ArgumentError, suggestion

Kind = TypeVar("Kind")


def import_object(path: str, kinds: tuple[type[Kind], ...], *, parameter: str) -> Kind:
    """Import the object at ``package.module:NAME``, which must be of one of the kinds.

    The module's code runs. Modules are looked for in the current folder, too. Raises `ArgumentError`, which names the
    `parameter` that the path was given for, where it does not import or there is no such object.
    """
    module_name, colon, name = path.partition(":")
    if not (module_name and colon and name):
        raise ArgumentError(parameter, f"'{path}' is not a path of the form package.module:NAME.")
    folder = str(Path.cwd())
    sys.path.insert(0, folder)
    try:
        module = import_module(module_name)
    except Exception as error:  # whatever the module's code raises
        raise ArgumentError(parameter, f"'{path}' does not import ({type(error).__name__}: {error}).") from error
    finally:
        sys.path.remove(folder)
    value = getattr(module, name, None)
    if isinstance(value, kinds):
        return value
    wanted = " or ".join(kind.__name__ for kind in kinds)
    fault = "there is no such name" if value is None else f"is of type {type(value).__name__}, not {wanted}"
    names = [key for key, other in vars(module).items() if isinstance(other, kinds)]
    raise ArgumentError(
        parameter,
        f"'{path}': {fault}.{suggestion(name, names)} {module_name} has these of type {wanted}: "
        f"{', '.join(names) or 'none'}.",
    )
