"""The models of adi by name, and models from outside by their import path."""

from collections.abc import Mapping

from adi.errors import ArgumentError, suggestion
from adi.extensions import import_object
from adi.models.adi import ADI_LT, ADI_PAPER, ADI_SE, ADI_SE_MAX, ADI_VA, STAR
from adi.models.cross_stitch import CROSS_STITCH
from adi.models.dnn import DNN
from adi.models.dnn_single import DNN_SINGLE
from adi.models.ease import EASE
from adi.models.item_knn import ITEM_KNN
from adi.models.lightgcn import LIGHTGCN
from adi.models.mind import MIND
from adi.models.mmoe import MMOE
from adi.models.model import FittedModel, Model, TrainedModel
from adi.models.ple import PLE
from adi.models.popularity import POPULARITY
from adi.models.shared_bottom import SHARED_BOTTOM
from adi.models.user_knn import USER_KNN

KINDS: tuple[type[FittedModel] | type[TrainedModel], ...] = (FittedModel, TrainedModel)

MODELS: Mapping[str, Model] = {
    model.name: model
    for model in (
        POPULARITY,
        ITEM_KNN,
        USER_KNN,
        EASE,
        DNN_SINGLE,
        DNN,
        LIGHTGCN,
        MIND,
        SHARED_BOTTOM,
        CROSS_STITCH,
        MMOE,
        PLE,
        STAR,
        ADI_LT,
        ADI_VA,
        ADI_SE,
        ADI_SE_MAX,
        ADI_PAPER,
    )
}


def model_of(model: str | Model) -> Model:
    """A model by its name in `MODELS`, or by its import path ``package.module:NAME``; a model itself is returned.

    A path runs the code of its module. Raises `ArgumentError` for a name that is not known, a path that does not lead
    to a model, and a model from outside that has the name of one of adi's own.
    """
    if isinstance(model, str):
        if ":" not in model and model not in MODELS:
            raise ArgumentError(
                "model",
                f"'{model}' is not a model.{suggestion(model, MODELS)} Known: {', '.join(MODELS)}. "
                "One of your own has a path, package.module:NAME.",
            )
        if model in MODELS:
            return MODELS[model]
        model = import_object(model, KINDS, parameter="model")
    if not isinstance(model, FittedModel | TrainedModel):
        raise ArgumentError("model", f"{model!r} is neither a name, a path package.module:NAME nor a model.")
    if MODELS.get(model.name, model) is not model:
        raise ArgumentError("model", f"'{model.name}' is the name of one of adi's own models. Give yours another name.")
    return model
