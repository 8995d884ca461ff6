"""The base class of the records in a run's files."""

from pydantic import BaseModel, ConfigDict


class Record(BaseModel):
    """A frozen record that ignores unknown keys, such as those of later versions of adi."""

    model_config = ConfigDict(extra="ignore", frozen=True)
