"""The settings of a training, beside those of its model."""

from typing import Literal

from pydantic import Field, model_validator

from adi.schema import Strict


class TrainingSettings(Strict):
    """How a two-tower model is trained.

    Negatives are the other positives of the batch in the domain (`in_batch`) and `uniform` items of the domain's
    corpus, all of it where it has no more. `causal` histories hold only what was earlier than the sample; otherwise, in
    training, all that the user did beside it. At most `validation_rows` rows of each domain are validated.

    With `keep: mean` the epoch with the highest mean over the domains of recall@`k` on the validation rows is kept, and
    training stops after `epochs`, or when that mean has not risen for `patience` of them. With `keep: domain` each
    domain keeps the epoch that is best for it, and training stops when no domain has risen for `patience` epochs. With
    `average` above 0 what is validated and kept is the moving average of the weights over the steps, of this decay.

    `self_training` (`adi.training.self_training`) begins when the share `self_training_start` of all planned steps
    (those of `epochs`) is done. Of the pairs of one domain and another it accepts the share `self_training_share`,
    which grows by `self_training_growth` each step up to `self_training_cap`, but no more than `self_training_limit`
    for each of a domain's own samples. With it, `patience` counts only epochs that have pseudo-positives from their
    first step.
    """

    epochs: int = Field(10, ge=1)
    batch_size: int = Field(4096, ge=1)
    lr: float = Field(1e-3, gt=0.0)
    embedding_lr: float = Field(0.05, gt=0.0)
    weight_decay: float = Field(0.0, ge=0.0)
    delta_decay: float = Field(0.05, ge=0.0)
    in_batch: bool = True
    uniform: int = Field(1000, ge=0)
    causal: bool = True
    k: int = Field(50, ge=1)
    keep: Literal["mean", "domain"] = "mean"
    patience: int = Field(4, ge=1)
    average: float = Field(0.99, ge=0.0, lt=1.0)
    validation_rows: int = Field(10_000, ge=1)
    checkpoint_steps: int = Field(5000, ge=1)
    self_training: bool = False
    self_training_start: float = Field(0.5, ge=0.0, lt=1.0)
    self_training_share: float = Field(0.05, gt=0.0, le=1.0)
    self_training_growth: float = Field(1e-4, ge=0.0)
    self_training_cap: float = Field(0.1, gt=0.0, le=1.0)
    self_training_limit: float = Field(1.0, gt=0.0)

    @model_validator(mode="after")
    def _has_negatives(self) -> "TrainingSettings":
        if not self.in_batch and self.uniform == 0:
            raise ValueError("no negatives: turn on in_batch, or set uniform to 1 or more")
        return self

    @model_validator(mode="after")
    def _share_within_cap(self) -> "TrainingSettings":
        if self.self_training_share > self.self_training_cap:
            raise ValueError(
                f"self_training_share {self.self_training_share} is above self_training_cap {self.self_training_cap}"
            )
        return self
