"""Values as messages show them."""

import pytest

from adi.errors import LONGEST_VALUE, shown


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("search", "'search'"),
        ("a\nb\0", r"'a\nb\x00'"),  # a message stays on its line
        ("é 🎈", "'é 🎈'"),
        ("x" * LONGEST_VALUE, f"'{'x' * LONGEST_VALUE}'"),
        ("x" * 1_000_000, f"'{'x' * LONGEST_VALUE}...'"),
    ],
)
def test_shown(value, text):
    assert shown(value) == text
