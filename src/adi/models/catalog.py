"""The built-in models by name, and custom models by import path."""

from collections.abc import Mapping

from adi.errors import ArgumentError, suggestion
from adi.extensions import import_object
from adi.models.adi import ADI_LT, ADI_PAPER, ADI_SE, ADI_SE_MAX, ADI_VA, STAR
from adi.models.co_clicks import CO_CLICKS
from adi.models.cross_stitch import CROSS_STITCH
from adi.models.dnn import DNN
from adi.models.dnn_single import DNN_SINGLE
from adi.models.ease import EASE
from adi.models.followers import SEQUENTIAL_RULES
from adi.models.item_knn import ITEM_KNN
from adi.models.lightgcn import LIGHTGCN
from adi.models.mind import MIND
from adi.models.mmoe import MMOE
from adi.models.model import FittedModel, Model, TrainedModel
from adi.models.personal_popularity import PERSONAL_POPULARITY
from adi.models.ple import PLE
from adi.models.popularity import POPULARITY
from adi.models.shared_bottom import SHARED_BOTTOM
from adi.models.user_knn import USER_KNN

KINDS: tuple[type[FittedModel] | type[TrainedModel], ...] = (FittedModel, TrainedModel)

MODELS: Mapping[str, Model] = {
    model.name: model
    for model in (
        POPULARITY,
        PERSONAL_POPULARITY,
        CO_CLICKS,
        SEQUENTIAL_RULES,
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
    """Look up a model by its name in `MODELS` or import it by its path ``package.module:NAME``.

    A model object is returned unchanged. Importing a path runs the code of its module.

    Raises `ArgumentError` for an unknown name, for a path that does not lead to a model, and for a custom model that
    has the name of a built-in one.
    """
    if isinstance(model, str):
        if ":" not in model and model not in MODELS:
            raise ArgumentError(
                "model",
                f"'{model}' is not a model.{suggestion(model, MODELS)} Known: {', '.join(MODELS)}. "
                "Give a model of your own by its path, package.module:NAME.",
            )
        if model in MODELS:
            return MODELS[model]
        model = import_object(model, KINDS, parameter="model")
    if not isinstance(model, FittedModel | TrainedModel):
        raise ArgumentError("model", f"{model!r} is not a model, the name of one, or a path package.module:NAME.")
    if MODELS.get(model.name, model) is not model:
        raise ArgumentError("model", f"'{model.name}' is the name of a built-in model. Give yours another name.")
    return model
