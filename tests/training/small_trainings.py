"""Trainings of the model dnn, so small that a test can afford several: 11 steps an epoch on `market`."""

from adi.models.catalog import MODELS
from adi.training.train import train

SETTINGS = {
    "embedding_sets": 1, "embedding_dim": 8, "dim": 8, "networks": (8,), "norm": "none", "uniform": 20, "epochs": 2,
    "batch_size": 64, "checkpoint_steps": 3, "refit": False, "blend": False,
}  # fmt: skip
DNN = MODELS["dnn"]


def trained(prepared, out, *, model=DNN, resume=False, verify=True, observer=None, **settings):
    options = {"settings": SETTINGS | settings, "baselines": False, "progress": False}
    return train(prepared, model, out, resume=resume, verify=verify, observer=observer, **options)
