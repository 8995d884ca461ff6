"""The kinds of features, by the name that the schema and the manifest give them."""

from adi.features.behaviours import Behaviours
from adi.features.categorical import Categorical
from adi.features.id import Id
from adi.features.kind import Kind
from adi.features.multi import Multi
from adi.features.numeric import Numeric

KINDS: dict[str, Kind] = {
    "id": Id(),
    "categorical": Categorical(),
    "multi": Multi(),
    "numeric": Numeric(),
    "behaviours": Behaviours(),
}
"""A new kind also needs a class of settings in `adi.schema`."""
