"""The form of what a run's files hold."""

from pydantic import BaseModel, ConfigDict


class Record(BaseModel):
    """Frozen, and open to keys of later versions of adi, which are ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True)
