"""The wheel and the source distribution: complete, and of use without the extras."""

import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from hiding import hiding

ROOT = Path(__file__).parents[1]
BUILD = """
import sys
from setuptools import build_meta
print(getattr(build_meta, sys.argv[1])(sys.argv[2]), file=sys.stderr)
"""
EXTRAS = {
    "altair",
    "vl_convert",
    "optuna",
    "faiss",
    "fastapi",
    "uvicorn",
    "onnxruntime",
    "redis",
    "pyspark",
    "pandas",
} | {"tea_tasting"}
SMALL = ["--set=epochs=1", "--set=embedding_dim=4", "--set=dim=4", "--set=networks=[4]", "--set=embedding_sets=1"]


@pytest.fixture(scope="module")
def sources(tmp_path_factory) -> Path:
    """The files that git has, and new ones, so that nothing else gets into a distribution."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, check=True,
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("sources")
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes((ROOT / name).read_bytes())
    return folder


def built(kind: str, sources: Path, out: Path) -> Path:
    out.mkdir()
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", BUILD, f"build_{kind}", str(out)],
        cwd=sources, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (path,) = out.iterdir()
    return path


@pytest.fixture(scope="module")
def wheel(sources, tmp_path_factory) -> Path:
    return built("wheel", sources, tmp_path_factory.mktemp("built") / "wheel")


@pytest.fixture(scope="module")
def site(wheel, tmp_path_factory) -> dict[str, str]:
    """An environment in which adi is that of the wheel, and no package of an extra is installed."""
    folder = tmp_path_factory.mktemp("site")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    (folder / "sitecustomize.py").write_text(hiding(EXTRAS))
    return os.environ | {"PYTHONPATH": str(folder), "PYTHONSAFEPATH": "1"}


def test_the_wheel_has_the_package_and_what_it_reads(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    modules = {str(path.relative_to(ROOT / "src")) for path in (ROOT / "src" / "adi").rglob("*.py")}
    assert modules <= names
    assert {name for name in names if not name.startswith(("adi/", "adi_retrieval-"))} == set()
    for needed in ("adi/py.typed", "adi/reproduce/settings/xmrec-wsdm22.yaml", "adi/serving/explorer/index.html"):
        assert needed in names
    metadata = zipfile.ZipFile(wheel).read("adi_retrieval-0.1.0.dist-info/METADATA").decode()
    assert "Multi-domain retrieval for recommenders and ads" in metadata
    assert "](docs/" not in metadata, "a link that leads nowhere outside the repository"


def test_the_source_distribution_is_complete(sources, tmp_path):
    with tarfile.open(built("sdist", sources, tmp_path / "sdist")) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    tracked = {str(path.relative_to(sources)) for path in sources.rglob("*") if path.is_file()}
    left_out = {name for name in tracked - names if not name.startswith((".", "build/", "src/adi_retrieval.egg-info/"))}
    assert left_out == set()


@pytest.mark.slow
def test_from_tables_to_a_comparison_without_an_extra(site, tmp_path):
    def adi(*words: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "adi", *map(str, words)]
        return subprocess.run(command, cwd=tmp_path, env=site, capture_output=True, text=True)

    where = [sys.executable, "-c", "import adi; print(adi.__file__)"]
    shown = subprocess.run(where, cwd=tmp_path, env=site, capture_output=True, text=True).stdout
    assert shown.startswith(site["PYTHONPATH"])
    steps = [
        ["simulate", "market", "--interactions", 900, "--users", 100, "--items", 60],
        ["prepare", "market", "--out", "prepared"],
        ["train", "prepared", "--model", "item-knn", "--out", "knn"],
        ["train", "prepared", "--model", "adi-se", "--out", "run", *SMALL],
        ["evaluate", "knn"],
        ["evaluate", "run"],
        ["compare", "knn", "run"],
    ]
    for words in steps:
        done = adi(*words)
        assert done.returncode == 0, done.stderr
    for words, extra in (
        (["report", "run", "--out", "report.html"], "report"),
        (["tune", "prepared", "--model", "adi-se", "--out", "study"], "tune"),
        (["abtest", "exposures", "--clicks", "clicks.csv"], "abtest"),
    ):
        done = adi(*words)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.endswith(f"pip install 'adi-retrieval[{extra}]'\n"), done.stderr
    done = adi("serve", "run")
    assert done.returncode == 2
    assert done.stderr.endswith("pip install 'adi-retrieval[serve]'\n"), done.stderr
