"""The examples in the layers' docstrings give what they say."""

import doctest
import importlib

import pytest

MODULES = (
    *("domain_parameter", "domain_linear", "domain_norm", "mlp", "interest_adaptation", "gating", "fusion"),
    *("network_mul", "cross_stitch", "behaviours"),
)


@pytest.mark.parametrize("module", MODULES)
def test_docstring_examples(module):
    result = doctest.testmod(importlib.import_module(f"adi.nn.{module}"))
    assert result.attempted > 0
    assert result.failed == 0
