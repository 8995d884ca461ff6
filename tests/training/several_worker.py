"""One of several processes that train models together, as torchrun starts it: its argument is a file of trainings.

Each training is a mapping of the arguments of `adi.train`, and of `faults`: what is to go wrong, by process; or it is
``{"evaluate": RUN}``. The first process writes ``errors.json`` beside the file: the message of each that failed.
"""

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

from adi.errors import AdiError
from adi.processes.start import joined
from adi.training import tensor_file
from adi.training.evaluation import evaluate_run
from adi.training.loop import Training
from adi.training.train import train

RANK = int(os.environ["RANK"])


def keep_equal(training: Training) -> None:
    """Check that all processes have the same weights of networks and the same statistics."""
    own = torch.cat([tensor.detach().double().flatten() for tensor in training.model.state_dict().values()])
    of_all = [torch.empty_like(own) for _ in range(dist.get_world_size())]
    dist.all_gather(of_all, own)
    assert all(torch.equal(own, other) for other in of_all)


def full_disk(*_: Any) -> None:
    raise OSError("No space left on device")


def run(training: dict[str, Any]) -> None:
    if "evaluate" in training:
        evaluate_run(training["evaluate"], progress=False)
        return
    fault = training.pop("faults", {}).get(str(RANK))
    if fault == "other seed":
        training["seed"] = 7
    if fault == "no data":
        training["prepared"] += "-missing"
    if fault == "full disk":
        tensor_file.os.fsync = full_disk
    if fault == "hangs":
        time.sleep(1000)
    train(training.pop("prepared"), training.pop("model"), training.pop("out"), progress=False, **training)


def main(file: Path) -> None:
    torch.set_num_threads(1)
    train_epochs, fsync, errors = Training.run, os.fsync, []

    def checked(training: Training, *, resume: bool) -> dict[str, int]:
        kept = train_epochs(training, resume=resume)
        keep_equal(training)
        return kept

    Training.run = checked
    given = json.loads(file.read_text(encoding="utf-8"))
    with joined(torch.device("cpu"), timeout=given["timeout"]):
        for training in given["trainings"]:
            try:
                run(training)
                errors.append(None)
            except AdiError as error:
                errors.append(str(error))
            tensor_file.os.fsync = fsync
    if RANK == 0:
        file.with_name("errors.json").write_text(json.dumps(errors), encoding="utf-8")


main(Path(sys.argv[1]))
