"""Commands of adi: their errors name their own options, and they share the options of their log."""

import inspect
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from itertools import pairwise
from typing import Annotated, Any, Literal

import typer
from typer.core import TyperCommand, TyperGroup, TyperOption

from adi.cli.log import FORMAT, LOG
from adi.errors import AdiError, ArgumentError

PANEL = "Messages and progress"

Quiet = Annotated[
    bool, typer.Option("--quiet", help="Write only errors and the result, and no progress.", rich_help_panel=PANEL)
]
LogFormat = Annotated[
    Literal["text", "json"],
    typer.Option(
        "--log-format",
        envvar=FORMAT,
        help="Messages, progress and errors on standard error: text, or a JSON object on each line.",
        rich_help_panel=PANEL,
    ),
]


PLAIN = {
    r"^Value error, ": "",
    r"^Input should be a valid integer\b.*": "not a whole number.",
    r"^Input should be a valid number\b.*": "not a number.",
    r"^Input should be greater than or equal to (.*)": r"give \1 or more.",
    r"^Input should be less than or equal to (.*)": r"give \1 or less.",
    r"^Input should be a valid boolean\b.*": "give true or false.",
}
"""Words for what Typer says of values."""


class Command(TyperCommand):
    """A command of adi; an `ArgumentError` of what it calls becomes an error of the option of that name."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        LOG.command = self.name
        if "--log-format=json" in args or ("--log-format", "json") in pairwise(args):
            LOG.use(json=True)  # before the arguments are looked at: an error in them is JSON, too
        with _logged():
            parsed: list[str] = super().parse_args(ctx, args)
        return parsed

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


class Commands(TyperGroup):
    """The commands of adi, by name."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if not args:
            return super().parse_args(ctx, args)  # which shows the help
        with _logged():
            return super().parse_args(ctx, args)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        with _logged():
            return super().resolve_command(ctx, args)


@contextmanager
def _logged() -> Iterator[None]:
    """Raise an error in the arguments in plain words; as an `AdiError` where the log is JSON, else for Typer's box."""
    try:
        yield
    except Exception as error:
        if not hasattr(error, "format_message"):
            raise
        for pattern, words in PLAIN.items():
            error.message = re.sub(pattern, words, error.message)  # type: ignore[attr-defined]
        if LOG.json:
            raise AdiError(error.format_message()) from None
        raise


def with_log_options(function: Callable[..., None]) -> Callable[..., None]:
    """A function that is a command, with the options of the log, which are those of all commands."""

    @wraps(function)
    def command(*, quiet: bool, log_format: str, **options: Any) -> None:
        LOG.quiet = quiet
        LOG.use(json=log_format == "json")
        function(**options)

    keyword = inspect.Parameter.KEYWORD_ONLY
    shared = [
        inspect.Parameter("quiet", keyword, default=False, annotation=Quiet),
        inspect.Parameter("log_format", keyword, default="text", annotation=LogFormat),
    ]
    signature = inspect.signature(function)
    command.__signature__ = signature.replace(parameters=[*signature.parameters.values(), *shared])  # type: ignore[attr-defined]
    command.__annotations__ = {**function.__annotations__, "quiet": Quiet, "log_format": LogFormat}
    return command
