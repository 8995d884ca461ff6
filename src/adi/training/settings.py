"""The settings of a training, beside those of its model."""

from pydantic import Field, model_validator

from adi.schema import Strict


class TrainingSettings(Strict):
    """How a two-tower model is trained.

    Negatives are the other positives of the batch in the domain (`in_batch`) and `uniform` items of the domain's
    corpus, all of it where it has no more. `causal` histories hold only what was earlier than the sample; otherwise, in
    training, all that the user did beside it. Training stops after `epochs`, or when the mean over the domains of
    recall@`k` on the validation rows has not risen for `patience` epochs; the best epoch's model is kept. At most
    `validation_rows` rows of each domain are validated.
    """

    epochs: int = Field(10, ge=1)
    batch_size: int = Field(4096, ge=1)
    lr: float = Field(1e-3, gt=0.0)
    embedding_lr: float = Field(0.1, gt=0.0)
    weight_decay: float = Field(0.0, ge=0.0)
    delta_decay: float = Field(0.05, ge=0.0)
    in_batch: bool = True
    uniform: int = Field(1000, ge=0)
    causal: bool = True
    k: int = Field(50, ge=1)
    patience: int = Field(2, ge=1)
    validation_rows: int = Field(10_000, ge=1)
    checkpoint_steps: int = Field(5000, ge=1)

    @model_validator(mode="after")
    def _has_negatives(self) -> "TrainingSettings":
        if not self.in_batch and self.uniform == 0:
            raise ValueError("no negatives: turn on in_batch, or set uniform to 1 or more")
        return self
