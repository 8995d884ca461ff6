"""Windows of a browser, and a server of data whose ids look like markup."""

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

import small
from adi.exporting.export import export
from adi.preparation.prepare import prepare
from adi.training.train import train

SMALL = {**small.SMALL, "blend": False}
METRICS = {
    "part": "test",
    "against": "corpus",
    "history": "earlier",
    "ks": [2, 5],
    "domains": {
        "search": {"queries": 1234, "corpus": 9, "recall@2": 0.25, "recall@5": 0.5, "ndcg@2": 0.2, "mrr@2": None}
    },
    "mean": {"recall@2": 0.25},
}
INTEREST = {
    "user": {"features": ["age", "langs"], "values": {"search": [0.1, 0.9], "feed": [None, 0.5], "kiosk": [0.2, -0.3]}},
    "item": {"features": ["price"], "values": {"search": [1.5], "feed": [1.5], "kiosk": [1.5]}},
}

MARKUP = "<img src=x onerror=\"document.title='run'\">, a/b?#%"


@pytest.fixture(scope="session")
def markup() -> str:
    """An item, a user and a tag of the hostile bundle: markup, a comma, and reserved characters of URLs."""
    return MARKUP


@dataclass
class Window:
    """A window of the browser with one page, its requests and its errors.

    pictures: addresses of pictures that the test itself answers or sees refused; no other may be off the host.
    """

    page: Page
    requests: list[str] = field(default_factory=list)
    pictures: tuple[str, ...] = ()
    errors: list[str] = field(default_factory=list)

    def goto(self, server, fragment: str = "") -> None:
        self.page.goto(f"http://127.0.0.1:{server.port}/{fragment}")

    def lists(self) -> dict[str, list[str]]:
        """The items of each card, in order."""
        return {
            card.locator("h2").inner_text(): card.locator(".item button.id").all_inner_texts()
            for card in self.page.locator(".card").all()
        }

    def answered(self) -> None:
        """Wait until the page shows an answer."""
        expect(self.page.locator(".card")).to_have_count(3)
        expect(self.page.locator("#results")).not_to_have_attribute("aria-busy", "true")


@pytest.fixture
def open_window(browser: Browser) -> Iterator[Callable[..., Window]]:
    """A function that opens a window. In every test, no request leaves the host and no script fails."""
    windows: list[Window] = []

    def new(width: int = 1280, scheme: Any = "light") -> Window:
        context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)
        context.set_default_timeout(10_000)
        window = Window(context.new_page())
        window.page.on("request", lambda request: window.requests.append(request.url))
        window.page.on("pageerror", lambda error: window.errors.append(str(error)))
        window.page.on("dialog", lambda dialog: window.errors.append(dialog.message))
        windows.append(window)
        return window

    yield new
    for window in windows:
        window.page.context.close()
    for window in windows:
        assert window.errors == []
        assert window.requests
        allowed = ("http://127.0.0.1:", *window.pictures)
        assert [url for url in window.requests if not url.startswith(allowed)] == []


@pytest.fixture(scope="session")
def hostile(tables: Path, tmp_path_factory: pytest.TempPathFactory, serving):
    """A server of the tests' data with hostile ids, of a run with metrics and feature weights."""
    folder = tmp_path_factory.mktemp("hostile")
    shutil.copytree(tables, folder / "tables")
    for path in (folder / "tables").glob("*.jsonl"):
        text = path.read_text(encoding="utf-8")
        for old in ("pen", "ana", "write"):
            text = text.replace(json.dumps(old), json.dumps(MARKUP))
        path.write_text(text, encoding="utf-8")
    prepare(folder / "tables" / "schema.yaml", folder / "prepared")
    train(folder / "prepared", "dnn", folder / "run", settings=SMALL)
    (folder / "run" / "metrics.json").write_text(json.dumps(METRICS))
    (folder / "run" / "interest.json").write_text(json.dumps(INTEREST))
    export(folder / "run", folder / "bundle")
    return serving(folder / "bundle")


@pytest.fixture(scope="session")
def top() -> Callable[[Any, dict[str, Any]], dict[str, list[str]]]:
    """A function that asks the API itself for the items of each domain."""

    def ask(server: Any, request: dict[str, Any]) -> dict[str, list[str]]:
        (result,) = server.ask("/v1/retrieve", request).body["results"]
        return {domain: ranked["items"] for domain, ranked in result["domains"].items()}

    return ask
