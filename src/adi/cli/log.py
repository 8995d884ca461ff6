"""Messages, progress and errors of a command on standard error: text, or a JSON object on each line."""

import json
import logging
import sys
import time
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Literal

from adi.cli.exit_codes import DONE, FAILED
from adi.cli.screen import ERR, OUT
from adi.machine import torchrun

Level = Literal["info", "warning", "error"]

FORMAT = "ADI_LOG_FORMAT"
"""The environment variable with the format of the log."""


class Log:
    """The log of the command that runs.

    In JSON each line has the keys `time`, `level`, `command`, `event` and `fields`.

    Attributes:
        json: lines are JSON.
        quiet: only errors are written.
        command: the command's name, once it is known.
    """

    def __init__(self) -> None:
        self.json = self.quiet = False
        self.command: str | None = None
        self._records = _Records(self)

    @contextmanager
    def running(self, environment: Mapping[str, str]) -> Iterator[None]:
        """Log the end of a command and, in JSON, the traceback of an exception that nobody expected."""
        self.quiet, self.command = False, None
        self.use(json=environment.get(FORMAT) == "json")
        started, code = time.monotonic(), DONE
        try:
            yield
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else FAILED
            raise
        except Exception as error:
            code = FAILED
            if not self.json:
                raise
            self._write("error", "error", message=str(error), exit_code=code, traceback=traceback.format_exc())
            raise SystemExit(code) from None
        finally:
            if torchrun() is None:  # of several processes, the one that started them has the end
                self.event("end", exit_code=code, seconds=round(time.monotonic() - started, 3))
            self.use(json=False)

    def use(self, *, json: bool) -> None:
        """Choose the format from now on; in JSON are also what libraries log, and warnings of Python."""
        if json != self.json:
            self.json = json
            logging.captureWarnings(json)
            change = logging.getLogger().addHandler if json else logging.getLogger().removeHandler
            change(self._records)

    def message(self, text: str, *, level: Level = "info") -> None:
        """Write a sentence."""
        if self.json:
            self.event("message", level=level, message=text)
        elif level == "error" or not self.quiet:
            ERR.print(text, soft_wrap=True)

    def report(self, text: str) -> None:
        """Write a sentence of a server: to standard output, unless the log is JSON."""
        if self.json:
            level: Level = "warning" if text.startswith("WARNING: ") else "info"
            self._write("server", level, message=text.removeprefix("WARNING: "))
        else:
            OUT.print(text)

    def event(self, event: str, *, level: Level = "info", **fields: object) -> None:
        """Write an event with its fields, if the log is JSON."""
        if self.json and (level == "error" or not self.quiet):
            self._write(event, level, **fields)

    def error(self, message: str, code: int) -> None:
        """Write the error that a command ends with."""
        if self.json:
            self._write("error", "error", message=message, exit_code=code)
        else:
            print(f"adi: {message}", file=sys.stderr)

    def _write(self, event: str, level: Level, **fields: Any) -> None:
        moment = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        line = {"time": moment, "level": level, "command": self.command, "event": event, "fields": fields}
        print(json.dumps(line), file=sys.stderr, flush=True)


class _Records(logging.Handler):
    """Passes on what libraries log."""

    def __init__(self, log: Log) -> None:
        super().__init__(logging.WARNING)
        self.log = log

    def emit(self, record: logging.LogRecord) -> None:
        level: Level = "error" if record.levelno >= logging.ERROR else "warning"
        self.log.event("library", level=level, message=self.format(record), logger=record.name)


LOG = Log()
