"""A process that torchrun has started, when its launcher is killed."""

import os
import signal
import subprocess
import sys

CHILD = """
from time import sleep
from adi.machine import end_with_launcher
end_with_launcher()
print("started", flush=True)
sleep(60)
print("still here")
"""
LAUNCHER = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {CHILD!r}])"


def test_a_process_ends_when_its_launcher_is_killed() -> None:
    with subprocess.Popen([sys.executable, "-c", LAUNCHER], stdout=subprocess.PIPE, text=True) as launcher:
        assert launcher.stdout is not None
        assert launcher.stdout.readline() == "started\n"
        os.kill(launcher.pid, signal.SIGKILL)
        assert launcher.stdout.read() == ""  # up to where the child, which holds it too, has ended
