"""Values as messages show them."""

import pytest

from adi.errors import LONGEST, shown


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("search", "'search'"),
        ("a\nb\0", r"'a\nb\x00'"),  # a message stays on its line
        ("é 🎈", "'é 🎈'"),
        ("x" * LONGEST, f"'{'x' * LONGEST}'"),
        ("x" * 1_000_000, f"'{'x' * LONGEST}...'"),
    ],
)
def test_shown(value, text):
    assert shown(value) == text
