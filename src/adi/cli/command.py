"""A command whose errors name its own options: ``--seed`` where the library's function calls the parameter ``seed``."""

from typing import Any

from typer.core import TyperCommand, TyperOption

from adi.errors import AdiError, ArgumentError


class Command(TyperCommand):
    """A command of adi; an `ArgumentError` of what it calls becomes an error of the option of that name."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except ArgumentError as error:
            raise AdiError(f"{self._option(error.parameter)}: {error.message}") from error

    def _option(self, parameter: str) -> str:
        """The long form of the option of a parameter, or the metavariable of an argument."""
        for param in self.params:
            if param.name == parameter:
                return max(param.opts, key=len) if isinstance(param, TyperOption) else parameter.upper()
        return parameter
