"""Features of kind `categorical`: one value of a finite set, compared as text."""

from adi.errors import AdiError
from adi.features.kind import Kind
from adi.features.numeric import is_number
from adi.schema import CategoricalFeature


class Categorical(Kind):
    """The code of a category. An empty text is a missing value."""

    text = True

    def check(self, feature: CategoricalFeature, column_type: str, source: str, *, by_domain: bool) -> None:
        require_single(column_type, source, f"feature '{feature.name}'")


def require_single(column_type: str, source: str, use: str) -> None:
    """Raise `AdiError` for a list, struct or map (a DuckDB type) where one value is needed."""
    if column_type.endswith(("]", ")")) and not is_number(column_type):
        raise AdiError(
            f"{source}: {column_type}, and {use} is one value. "
            "Write the column as text or numbers; a feature that is a list has kind: multi."
        )
