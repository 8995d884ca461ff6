"""A step of every model on a GPU that is not there: what it would wait for, and what it would mix with the CPU.

A `FakeDevice` runs operations on the CPU for real, and those on the device for their shapes alone. As a GPU does, it
refuses operands on two devices; where a GPU would make the host wait for a value, it refuses that too. What a step
works out is tested on the CPU, with the one function that is another on a device, `distinct_padded`.
"""

from typing import Any

import pytest
import torch
from pairwise import each_value
from test_contract import ROWS, TRAINED, VARIANTS, batch, build
from torch import nn
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map_only
from torch.utils.backend_registration import _setup_privateuseone_for_python_backend

from adi.losses import sampled_softmax
from adi.nn import distinct as layer
from adi.nn import embedding
from adi.training import optimizers
from adi.training.settings import TrainingSettings
from adi.training.step import Step

_setup_privateuseone_for_python_backend("fake")  # a device with a name, and nothing behind it
DEVICE = torch.device("fake:0")
COPIES = ("_to_copy", "copy_")
SIZES = {0: (5, 4), 2: (1, 3)}

EVERY_LINE = [*TRAINED, *(f"{name} {rows.index(row)}" for name, rows in ROWS.items() for row in each_value(rows))]
"""Each model, and each value of its options: what waits or mixes devices is a line of code, which no pair adds to."""


class FakeDevice(TorchDispatchMode):
    """In the context, tensors may be on `DEVICE`."""

    def __init__(self) -> None:
        super().__init__()
        self.shapes = FakeTensorMode()

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        given = _tensors((args, kwargs))
        if kwargs.get("device") != DEVICE and all(own.device != DEVICE for own in given):
            return function(*args, **kwargs)
        args, kwargs = tree_map_only(torch.Tensor, self._known, (args, kwargs))
        with self.shapes:
            result = function(*args, **kwargs)
        devices = {own.device.type for own in [*given, *_tensors(result)] if own.ndim}  # a lone number may be anywhere
        if len(devices) > 1:
            name = function.overloadpacket.__name__
            assert name in COPIES, f"{name} mixes devices"
            assert _tensors(result)[0].device == DEVICE, f"{name} fetches from the device"
            assert kwargs.get("non_blocking"), f"{name} waits for the device"
        return result

    def _known(self, tensor: torch.Tensor) -> torch.Tensor:
        return tensor if isinstance(tensor, FakeTensor) else self.shapes.from_tensor(tensor)

    def move(self, model: nn.Module) -> None:
        """What ``model.to(DEVICE)`` would do."""
        moved: dict[int, torch.Tensor] = {}
        for module in model.modules():
            for kept in (module._parameters, module._buffers):
                for name, own in kept.items():
                    if own is not None and id(own) not in moved:
                        value: torch.Tensor = torch.empty(own.shape, dtype=own.dtype, device=DEVICE)
                        if isinstance(own, nn.Parameter):
                            value = nn.Parameter(value, requires_grad=own.requires_grad)
                        moved[id(own)] = value
                    if own is not None:
                        kept[name] = moved[id(own)]  # type: ignore[index]


def _tensors(tree: Any) -> list[torch.Tensor]:
    return [own for own in tree_leaves(tree) if isinstance(own, torch.Tensor)]


def step_on(device: FakeDevice, name: str) -> torch.Tensor:
    model, given = build(*VARIANTS[name]), batch(SIZES)
    with device:
        device.move(model)
        return Step(model, TrainingSettings(), sampled_softmax)(given)


@pytest.mark.parametrize("name", EVERY_LINE)
def test_a_step_mixes_no_devices_and_waits_for_none(name: str) -> None:
    assert step_on(FakeDevice(), name).device == DEVICE


def test_the_fake_device_refuses_what_a_real_one_does_or_would_wait_for() -> None:
    with FakeDevice():
        there, here = torch.zeros(3, device=DEVICE), torch.zeros(3)
        for refused in (
            lambda: there + here,
            lambda: there[torch.zeros(3, dtype=torch.int64)],
            lambda: there.cpu(),
            lambda: here.to(DEVICE),
            lambda: there.sum().item(),
            lambda: there.unique(),
            lambda: there.nonzero(),
        ):
            with pytest.raises(Exception, match=r"devices|fetches|waits|aten"):
                refused()
        assert here.to(DEVICE, non_blocking=True).device == DEVICE


@pytest.mark.parametrize(
    ("name", "options"), [("adi-se", {}), ("adi-se", {"neighbours": 3}), ("dnn-single", {"neighbours": 3})]
)
def test_steps_with_padded_distinct_rows_are_the_same(
    name: str, options: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    states = []
    for function in (layer.distinct, layer.distinct_padded):
        monkeypatch.setattr(embedding, "distinct", function)
        monkeypatch.setattr(optimizers, "distinct", function)
        model = build(name, options).double()  # AdamW makes much of a gradient that is all rounding
        step = Step(model, TrainingSettings(), sampled_softmax)
        for seed in range(3):
            step(batch(SIZES, seed=seed))
        assert step.average is not None
        state = {"rows": step.tables.state, **model.state_dict()}
        with step.average.applied():
            state |= {f"average of {place}": own.clone() for place, own in model.state_dict().items()}
        states.append(state)
    assert states[0].keys() == states[1].keys()
    for place, own in states[0].items():
        torch.testing.assert_close(own, states[1][place], msg=lambda text, place=place: f"{place}: {text}")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="PyTorch finds no GPU")
def test_steps_on_a_gpu_have_the_loss_of_the_cpu() -> None:
    for name in VARIANTS:
        losses = []
        for device in ("cpu", "cuda"):
            step, given = Step(build(*VARIANTS[name]).to(device), TrainingSettings(), sampled_softmax), batch(SIZES)
            first = step(given)  # the libraries of a GPU wait when they start
            torch.cuda.set_sync_debug_mode("error")
            try:
                second = step(given)
            finally:
                torch.cuda.set_sync_debug_mode("default")
            losses.append([float(first), float(second)])
        assert losses[0] == pytest.approx(losses[1], rel=1e-3), name
