"""The page at ``/``, on which a person sees what the model does in each domain: files that ask the routes of `v1`."""

from pathlib import Path

from fastapi import FastAPI, Response
from starlette.exceptions import HTTPException

FOLDER = Path(__file__).parent / "explorer"
KINDS = {".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}
"""Nothing from another host, nothing inline, and nothing kept for longer than the server's own version of it."""


def add_explorer(app: FastAPI) -> None:
    """Add the page and its files to an application. They hold no data, and so need no token."""
    files = {path.name: (path.read_bytes(), KINDS[path.suffix]) for path in FOLDER.iterdir() if path.suffix in KINDS}

    @app.get("/explorer/{name}", response_model=None, include_in_schema=False)
    async def file(name: str) -> Response:
        if name not in files:
            raise HTTPException(404, "Not Found")
        content, kind = files[name]
        return Response(content, media_type=kind, headers=HEADERS)

    @app.get("/", response_model=None, include_in_schema=False)
    async def page() -> Response:
        return await file("index.html")
