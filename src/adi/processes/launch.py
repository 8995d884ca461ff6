"""Starting several processes of a command on this machine, as torchrun does, and again where one was killed."""

import logging
import signal
import sys
from collections.abc import Callable, Sequence
from uuid import uuid4

from torch.distributed.elastic.multiprocessing.api import SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from adi.machine import share_threads

USER_ERROR, RESTARTS = 2, 3

Report = Callable[[str], None]


def launch(count: int, command: Sequence[str], again: Callable[[], Sequence[str] | None], report: Report) -> int:
    """Run ``python -m adi COMMAND`` in `count` processes that can talk to each other; returns the exit code.

    Args:
        again: the command that goes on after a process was killed; None if nothing can go on. It is used three times.
        report: is told when processes are started again, and why they are not after one was killed.
    """
    share_threads(count)
    for name in list(logging.root.manager.loggerDict):
        if name.startswith("torch.distributed.elastic"):  # each process says itself what is wrong
            logging.getLogger(name).setLevel(logging.CRITICAL)
    for attempt in range(1 + RESTARTS):
        config = LaunchConfig(
            min_nodes=1,
            max_nodes=1,
            nproc_per_node=count,
            run_id=uuid4().hex,
            rdzv_backend="c10d",
            rdzv_endpoint="127.0.0.1:0",
            max_restarts=0,
        )
        try:
            elastic_launch(config, sys.executable)("-m", "adi", *command)
        except SignalException as end:
            if end.sigval == signal.SIGINT:
                raise KeyboardInterrupt from None
            return 128 + end.sigval
        except ChildFailedError as error:
            codes = [failure.exitcode for failure in error.failures.values()]
            next_command = again()
            if USER_ERROR in codes or next_command is None or attempt == RESTARTS:
                if (first := error.get_first_failure()[1].exitcode) < 0:
                    report(f"A process was ended by signal {-first}; by 9, the system ends it where memory runs out.")
                return USER_ERROR if USER_ERROR in codes else 1
            report(f"A process ended with {codes[0]}. All go on from the last checkpoint.")
            command = next_command
        else:
            return 0
    raise AssertionError
