"""The direction of imports, the size of files and their names, as the house style has them."""

import ast
import re
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCE, BENCHMARKS = ROOT / "src" / "adi", ROOT / "benchmarks"
LONGEST = 350
NAMES_THAT_SAY_NOTHING = {"utils", "util", "helpers", "helper", "common", "misc", "base"}

TENSORS = {"errors", "columns", "processes", "nn", "losses", "negatives"}
STORED = {"errors", "columns", "frames", "durations", "moments", "documents", "strict", "schema", "data"}
DATA = STORED | {"features"}
BATCH = DATA | {"batch"}
TABLES = DATA | {"engines", "preparation", "progress"}
SERVED = DATA | {"timing", "thread_budget", "filters", "index", "bundle"}
MAY_IMPORT: dict[str, set[str]] = {
    "errors": set(),
    "columns": set(),
    "durations": {"errors"},
    "moments": {"errors"},
    "machine": {"errors"},
    "timing": set(),
    "thread_budget": {"machine"},
    "metrics": {"errors"},
    "extensions": {"errors"},
    "frames": set(),
    "runs": STORED | {"frames", "runs"},
    "documents": {"errors"},
    "strict": {"errors", "documents"},
    "schema": {"errors", "durations", "moments", "documents", "strict"},
    "batch": DATA,
    "filters": {"errors", "filters"},
    "data": STORED,
    "engines": STORED | {"machine", "engines"},
    "features": DATA | {"engines"},
    "preparation": TABLES,
    "guessing": TABLES | {"guessing"},
    "marketplace": STORED | {"marketplace", "progress"},
    "sources": TABLES | {"sources"},
    "processes": {"errors", "machine", "processes"},
    "nn": TENSORS,
    "losses": TENSORS,
    "negatives": TENSORS,
    "models": BATCH | {"nn", "processes", "losses", "runs", "extensions", "models"},
    "evaluation": STORED | {"processes", "metrics", "runs", "models", "evaluation"},
    "comparison": STORED | {"frames", "metrics", "runs", "evaluation", "comparison"},
    "progress": set(),
    "training": BATCH
    | TENSORS
    | {"durations", "machine", "metrics", "progress", "runs", "models", "evaluation", "training"},
    "training.engine": DATA | {"index", "models", "training"},
    "tuning": STORED | {"durations", "frames", "runs", "progress", "models", "evaluation", "training", "tuning"},
    "index": STORED | {"index"},
    "bundle": SERVED | {"frames", "runs"},
    "exporting": DATA | {"runs", "progress", "processes", "nn", "models", "training", "index", "bundle", "exporting"},
    "stores": DATA | {"progress", "models", "evaluation", "exporting", "stores"},
    "retrieval": SERVED | {"frames", "progress", "retrieval"},
    "retrieval.engine": STORED | {"index", "bundle", "models", "training"},
    "serving": SERVED | {"retrieval", "serving"},
    "router": {"errors", "documents", "strict", "serving", "router"},
    "report": STORED | {"metrics", "runs", "evaluation", "comparison", "report"},
    "abtest": STORED | {"report", "abtest"},
    "online": SERVED | {"machine", "progress", "marketplace", "retrieval", "serving", "online"},
    "backtesting": TABLES
    | {"durations", "metrics", "runs", "models", "evaluation", "training", "report", "grid", "backtesting"},
    "grid": STORED | {"progress", "runs", "models", "training", "grid"},
    "steps": TABLES
    | {"runs", "models", "evaluation", "comparison", "training", "guessing", "exporting", "report", "steps"},
    "steps.tables": TABLES | {"guessing"},
    "tracking": STORED | {"machine", "runs", "training", "tuning", "tracking"},
    "verification": STORED | {"runs", "bundle", "training"},
    "reproduce": TABLES
    | {"runs", "marketplace", "sources", "models", "evaluation", "comparison", "training", "report"}
    | {"abtest", "grid", "reproduce"},
    "reproduce.experiments": TABLES
    | {"marketplace", "training", "exporting", "serving", "abtest", "online", "grid", "reproduce"},
}
"""What each part, or the named module of a part, may import of the others. The package itself and `cli` may import
all; `cli` is for nobody else to import. A part that is not listed belongs in this table before it is written."""

WITHOUT_TORCH = {"machine", "frames", "engines", "runs", "progress", "retrieval", "serving", "router"} | SERVED
"""The parts that serve. None of them imports torch, or a part that may."""

ENGINE_OF_A_RUN = {"retrieval.engine": {"models", "training"}}
"""The one exception: opening a run imports its engine, lazily; and the type of a model, for the type checker."""


def modules(source: Path) -> Iterator[tuple[str, Path]]:
    """Each module of the package as (name below the package, file); the package's own name is empty."""
    for path in sorted(source.rglob("*.py")):
        parts = path.relative_to(source).with_suffix("").parts
        yield ".".join(part for part in parts if part != "__init__"), path


def imports(name: str, path: Path) -> set[str]:
    """The modules of the package, and of the benchmarks, that a module imports anywhere in it, in any form.

    Names of the package come without its own name in front.
    """
    full_names = all_imports(name, path)
    return {full.removeprefix("adi.") for full in full_names if full.startswith(("adi.", "benchmarks"))}


def all_imports(name: str, path: Path) -> set[str]:
    """The full names that a module imports, of the package and of others."""
    inside = ["adi", *filter(None, name.split("."))]
    if path.stem != "__init__":
        inside.pop()
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            start = inside[: len(inside) - node.level + 1] if node.level else []
            origin = ".".join([*start, *filter(None, [node.module])])
            found |= {f"{origin}.{alias.name}" for alias in node.names}
    return found


def wrong_imports(source: Path) -> list[str]:
    """Every import that goes against the table, as a sentence."""
    faults = []
    for name, path in modules(source):
        part = name.partition(".")[0]
        allowed = MAY_IMPORT.get(name, MAY_IMPORT.get(part))
        if allowed is None and part not in ("", "cli", "__main__"):
            faults.append(f"{name}: its part is not in the table of what may import what")
            continue
        for other in sorted(imports(name, path)):
            target = other.partition(".")[0]
            if target == "cli" and part not in ("cli", "__main__"):
                faults.append(f"{name or 'adi'} imports {other}: cli is for nobody to import")
            elif target == "benchmarks":
                faults.append(f"{name or 'adi'} imports {other}: benchmarks are no part of the package")
            elif allowed is not None and target not in allowed:
                faults.append(f"{name} imports {other}")
    return faults


def test_imports_go_one_way() -> None:
    assert wrong_imports(SOURCE) == []


def test_no_part_that_serves_may_import_one_that_needs_torch() -> None:
    rows = {name: may_import for name, may_import in MAY_IMPORT.items() if name.partition(".")[0] in WITHOUT_TORCH}
    assert {name: may_import - WITHOUT_TORCH for name, may_import in rows.items() if may_import - WITHOUT_TORCH} == (
        ENGINE_OF_A_RUN
    )


def test_no_module_that_serves_imports_torch_even_lazily() -> None:
    served = [(name, path) for name, path in modules(SOURCE) if name.partition(".")[0] in WITHOUT_TORCH]
    assert [
        name for name, path in served if any(f"{full}.".startswith("torch.") for full in all_imports(name, path))
    ] == []


def test_no_module_imports_itself_through_others() -> None:
    known = dict(modules(SOURCE))
    graph = {}
    for name, path in known.items():
        # `from adi.data import loader` names a module, `from adi.errors import AdiError` something in one.
        graph[name] = {other if other in known else other.rpartition(".")[0] for other in imports(name, path)} - {""}
    try:
        list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        pytest.fail(f"modules import each other in a circle: {' <- '.join(error.args[1])}")


@pytest.mark.parametrize("source", [SOURCE, BENCHMARKS], ids=lambda source: source.name)
def test_files_are_one_idea_long(source: Path) -> None:
    lengths = {name: len(path.read_text(encoding="utf-8").splitlines()) for name, path in modules(source)}
    assert lengths
    assert {name: length for name, length in lengths.items() if length > LONGEST} == {}


@pytest.mark.parametrize("source", [SOURCE, BENCHMARKS], ids=lambda source: source.name)
def test_files_are_named_for_what_they_hold(source: Path) -> None:
    assert [str(path) for _, path in modules(source) if path.stem in NAMES_THAT_SAY_NOTHING] == []


def test_yaml_has_one_reader() -> None:
    """Any other would have to limit the size, the depth and the aliases of a document anew."""
    pattern = re.compile(r"\byaml\.(safe_|full_|unsafe_)?(load|parse|compose|scan)")
    assert [name for name, path in modules(SOURCE) if pattern.search(path.read_text(encoding="utf-8"))] == ["documents"]


def test_pandas_is_no_dependency() -> None:
    """It is installed with another package; the benchmarks alone import it."""
    pattern = re.compile(r"^\s*(import|from) pandas", re.MULTILINE)
    assert [name for name, path in modules(SOURCE) if pattern.search(path.read_text(encoding="utf-8"))] == []


@pytest.mark.parametrize(
    ("place", "line", "fault"),
    [
        ("errors.py", "from adi.schema import Schema", "errors imports schema.Schema"),
        ("nn/mlp.py", "import adi.models.dnn", "nn.mlp imports models.dnn"),
        ("models/dnn.py", "from adi import training", "models.dnn imports training"),
        ("models/dnn.py", "from ..training.loop import train", "models.dnn imports training.loop.train"),
        ("errors.py", "from adi.metrics import RECALL", "errors imports metrics.RECALL"),
        ("training/loop.py", "def f():\n    from adi.cli import main", "training.loop imports cli.main: cli is"),
        ("__init__.py", "from adi.cli.main import main", "adi imports cli.main.main: cli is for nobody"),
        ("cli/main.py", "import benchmarks.report", "cli.main imports benchmarks.report: benchmarks are no part"),
        ("errors.py", "from benchmarks import towers", "errors imports benchmarks.towers: benchmarks are no part"),
        ("novelty/thing.py", "import json", "novelty.thing: its part is not in the table"),
    ],
)
def test_a_wrong_import_is_found(tmp_path: Path, place: str, line: str, fault: str) -> None:
    module = tmp_path / place
    module.parent.mkdir(parents=True, exist_ok=True)
    module.write_text(line)
    (found,) = wrong_imports(tmp_path)
    assert found.startswith(fault)


def test_right_imports_pass(tmp_path: Path) -> None:
    (tmp_path / "training").mkdir()
    (tmp_path / "training" / "loop.py").write_text(
        "import torch\nfrom adi import errors\nfrom adi.models.dnn import DNN\nfrom .checkpoint import save"
    )
    assert wrong_imports(tmp_path) == []
