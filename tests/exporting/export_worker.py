"""One of several processes that export runs together, as torchrun starts it: its argument is a file of exports.

Each export is a mapping of the arguments of `adi.export`, and of `fault`: the process that is to fail in it, if any.
The first process writes ``results.json`` beside the file: the version of each bundle, or the message of its error.
"""

import json
import os
import sys
from pathlib import Path

import torch

from adi.errors import AdiError
from adi.exporting import writer
from adi.exporting.export import export
from adi.processes.start import joined

RANK = int(os.environ["RANK"])


def main(file: Path) -> None:
    torch.set_num_threads(1)
    sample, results = writer.sample_queries, []

    def fails(*_: object) -> None:
        raise AdiError("a fault")

    with joined(torch.device("cpu"), timeout=120):
        for arguments in json.loads(file.read_text(encoding="utf-8")):
            faulty = arguments.pop("fault", None) == RANK
            writer.sample_queries = fails if faulty else sample
            try:
                results.append(export(**arguments, progress=False).version)
            except AdiError as error:
                results.append(str(error))
    threads = [thread.read_text(encoding="utf-8").strip() for thread in Path("/proc/self/task").glob("*/comm")]
    assert not any("gloo" in name for name in threads), threads
    if RANK == 0:
        file.with_name("results.json").write_text(json.dumps(results), encoding="utf-8")


main(Path(sys.argv[1]))
