"""The program `adi`, also as ``python -m adi``. It answers Ctrl-C and SIGTERM before the imports that take a while."""

import os
import signal


def main() -> None:
    """Run the command line. A signal before it begins, or after its end, ends the process at once."""
    for number in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _end)
    from adi.cli.main import main as command_line

    command_line()


def _end(number: int, frame: object) -> None:
    os._exit(128 + number)


if __name__ == "__main__":
    main()
