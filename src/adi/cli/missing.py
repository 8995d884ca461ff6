"""The extra that has a package which is not installed."""

import re
from importlib.metadata import PackageNotFoundError, requires

MODULES = {
    "faiss": "faiss-cpu",
    "prometheus_client": "prometheus-client",
    "tea_tasting": "tea-tasting",
    "vl_convert": "vl-convert-python",
    "mlflow": "mlflow-skinny",
    "milvus_lite": "milvus-lite",
    "qdrant_client": "qdrant-client",
}
"""Distributions whose name is not that of their module."""


def remedy(module: str) -> str | None:
    """Advice on what to install for a module that cannot be imported; None if no extra has it."""
    wanted = MODULES.get(module.partition(".")[0], module.partition(".")[0])
    try:
        requirements = requires("adi-retrieval") or []
    except PackageNotFoundError:
        return None
    for requirement in requirements:
        required = re.match(r"([\w.-]+).*extra == ['\"](\w+)['\"]", requirement)
        if required and required[1].lower() == wanted:
            return f"{wanted} is not installed. Install what this needs: pip install 'adi-retrieval[{required[2]}]'"
    return None
