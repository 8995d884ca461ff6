"""The documentation site is built without a warning, and a broken link is one."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from adi.cli.main import app

DOCS = Path(__file__).parents[1] / "docs"


def build(source: Path, out: Path) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-m", "sphinx", "--quiet", "--fail-on-warning", "--builder", "html", source, out]
    return subprocess.run([*map(str, words)], capture_output=True, text=True)


@pytest.fixture
def pages(tmp_path) -> Path:
    """A copy of the pages beside the files that they link to, with the changelog."""
    folder = tmp_path / "site"
    for name in ("docs", "src", "deploy", "examples", "tests"):
        if name == "docs":
            shutil.copytree(DOCS, folder / name, ignore=shutil.ignore_patterns("_build", "reference"))
        else:
            (folder / name).symlink_to(DOCS.parent / name)
    shutil.copy(DOCS.parent / "CHANGELOG.md", folder)
    return folder / "docs"


@pytest.mark.slow
def test_the_site_has_every_command_setting_and_page_and_no_broken_link(pages, tmp_path):
    done = build(pages, tmp_path / "html")
    assert (done.returncode, done.stderr) == (0, "")
    commands = (tmp_path / "html" / "reference" / "command-line.html").read_text()
    for command in app.registered_commands:
        assert command.callback is not None
        assert f"adi {(command.name or command.callback.__name__).replace('_', '-')}" in commands
    settings = (tmp_path / "html" / "reference" / "settings.html").read_text()
    assert all(name in settings for name in ("embedding_lr", "shared_networks", "half_life", "shrink"))
    http = (tmp_path / "html" / "reference" / "http.html").read_text()
    assert "/v1/retrieve" in http
    assert "/readyz" in http
    assert "adi.prepare" in (tmp_path / "html" / "python.html").read_text()
    index = (tmp_path / "html" / "index.html").read_text()
    for page in [page for page in DOCS.rglob("*.md") if page.parent.name not in ("reference", "_build")]:
        name = page.relative_to(DOCS).with_suffix("").as_posix()
        assert name == "index" or f'href="{name}.html"' in index, f"{name} is not in index.md"
    assert not re.findall(r'<(?:script|link)[^>]*(?:src|href)="https?:', index), "a page loads nothing from elsewhere"

    (pages / "faq.md").write_text("# Questions\n\n[nowhere](nowhere.md)\n")  # sphinx reads this page alone again
    done = build(pages, tmp_path / "html")
    assert done.returncode == 1
    assert "nowhere.md" in done.stderr
