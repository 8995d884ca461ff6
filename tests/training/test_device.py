from pathlib import Path

import pytest
import torch

from adi.errors import AdiError
from adi.training.device import device_named
from adi.training.train import train


@pytest.mark.parametrize("name", ["gpu", "cpu:0", "cuda:x", "cuda:-1", "cuda:", "cuda:0:1", "", "CUDA"])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(AdiError, match=r"device: '.*' is not a device; give cpu, cuda, or cuda:N"):
        device_named(name)


@pytest.mark.parametrize(
    ("build", "available", "count", "said"),
    [
        (None, False, 0, r"this PyTorch \(.+\) is a build without CUDA"),
        ("13.0", False, 0, "PyTorch finds no GPU that it can use"),
        ("13.0", True, 1, "there is no GPU 3: PyTorch finds 1, numbered from 0"),
    ],
)
def test_a_gpu_that_is_not_there_is_refused_with_the_reason(
    build: str | None, available: bool, count: int, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.version, "cuda", build)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: available)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
    with pytest.raises(AdiError, match=f"device: cuda:3, and {said}"):
        device_named("cuda:3")


def test_one_that_is_there_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    assert device_named("cpu") == torch.device("cpu")
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert device_named("cuda:1") == torch.device("cuda:1")
    assert device_named("cuda") == torch.device("cuda")


def test_a_training_is_refused_before_anything_is_written(
    prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(AdiError, match="device: cuda:99"):
        train(prepared, "dnn", tmp_path / "run", device="cuda:99")
    assert not (tmp_path / "run").exists()
