"""The command line run in this process as `adi` runs it."""

import sys
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from subprocess import CompletedProcess

from adi.cli.main import main


def run(*arguments: object) -> CompletedProcess[str]:
    """`adi` with arguments: its exit code and what it wrote. What it raises beside that comes through."""
    words = [str(argument) for argument in arguments]
    out, err, given, code = StringIO(), StringIO(), sys.argv, 0
    sys.argv = ["adi", *words]
    try:
        with redirect_stdout(out), redirect_stderr(err):
            main()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    finally:
        sys.argv = given
    return CompletedProcess(words, code, out.getvalue(), err.getvalue())
