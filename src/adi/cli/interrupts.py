"""Ctrl-C and SIGTERM while a command runs."""

import os
import signal
import sys
from pathlib import Path
from select import select
from threading import Thread
from time import monotonic
from types import FrameType, TracebackType
from typing import Any, Self

SIGNALS = {signal.SIGINT: "interrupted", signal.SIGTERM: "terminated"}
"""The signals that end a command, and the message that it ends with."""

REPEATED = 1.0
"""Seconds in which a signal that comes again is the same one: a terminal and a parent process both send it."""

RETRY = 0.02
"""Seconds after which an interrupt that had to wait is tried again."""

COMMANDS = str(Path(__file__).parent)


class Interrupt:
    """A block in which SIGINT and SIGTERM raise KeyboardInterrupt once, so that what is half written is removed.

    Libraries hide an exception amid an import, or print it and go on. So an interrupt waits until the import is done;
    one amid the imports of a command itself, which come before its work, ends the process at once. One that was raised
    where Python discards exceptions, such as in a finaliser, is raised again.

    A second signal, more than `REPEATED` seconds later, ends the process at once, wherever its main thread waits.
    Signals that the process ignores stay ignored.

    Args:
        patience: seconds after which the process ends at once without a second signal; None: it is given all it needs.

    Attributes:
        number: of the signal that came; None if none did.
    """

    def __init__(self, patience: float | None = None) -> None:
        self.patience = patience
        self.number: int | None = None

    def __enter__(self) -> Self:
        heeded = [number for number in SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
        self._handlers = {number: signal.signal(number, self._ask) for number in heeded}
        self._handlers[signal.SIGALRM] = signal.signal(signal.SIGALRM, self._raise)
        self._hook, sys.unraisablehook = sys.unraisablehook, self._discarded
        read, self._pipe = os.pipe()
        os.set_blocking(self._pipe, False)
        self._wakeup = signal.set_wakeup_fd(self._pipe, warn_on_full_buffer=False)
        Thread(target=_watch, args=(read, self.patience), name="adi-signals", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)
        sys.unraisablehook = self._hook
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._wakeup)
        os.close(self._pipe)

    def _ask(self, number: int, frame: FrameType | None) -> None:
        if self.number is None:
            self.number = number
            self._raise(number, frame)

    def _raise(self, _: int, frame: FrameType | None) -> None:
        importer = _importer(frame)
        if importer is None:
            raise KeyboardInterrupt
        if self.number is not None and importer.f_code.co_filename.startswith(COMMANDS):
            os._exit(128 + self.number)
        signal.setitimer(signal.ITIMER_REAL, RETRY)

    def _discarded(self, unraisable: Any) -> None:
        """Called by Python for an exception that nobody can catch."""
        if unraisable.exc_type is KeyboardInterrupt:
            signal.setitimer(signal.ITIMER_REAL, RETRY)
        else:
            self._hook(unraisable)


def _importer(frame: FrameType | None) -> FrameType | None:
    """The outermost frame whose import is under way; None outside of imports."""
    importer, is_machinery = None, False
    while frame is not None:
        if is_machinery:
            importer = frame
        is_machinery = frame.f_code.co_filename.startswith("<frozen importlib")
        frame = frame.f_back
    return importer


def _watch(pipe: int, patience: float | None) -> None:
    """End the process where its main thread cannot: at a second signal, or `patience` seconds after the first.

    `pipe` has the numbers of the signals, as Python writes them when they come; its end is that of the block.
    """
    number, since = 0, 0.0
    while True:
        left = max(0.0, since + patience - monotonic()) if number and patience is not None else None
        if not select([pipe], [], [], left)[0]:
            os._exit(128 + number)
        signals = os.read(pipe, 1)
        if not signals:
            os.close(pipe)
            return
        if signals[0] in SIGNALS:
            if number and monotonic() - since > REPEATED:
                os._exit(128 + signals[0])
            if not number:
                number, since = signals[0], monotonic()
