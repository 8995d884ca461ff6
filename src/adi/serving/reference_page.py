"""The page at ``/docs``, which shows `/openapi.json` and sends requests: swagger-ui, as a package carries it."""

from importlib.resources import files
from pathlib import Path

from fastapi import FastAPI, Response
from starlette.exceptions import HTTPException

from adi.serving.explorer_page import HEADERS, KINDS

FOLDER = Path(__file__).parent / "reference"
LIBRARY = ("swagger-ui-bundle.js", "swagger-ui.css")

POLICY = HEADERS["Content-Security-Policy"].replace("img-src 'self'", "img-src 'self' data:")
"""As the explorer's, but for the pictures in the library's style sheet."""


def add_reference(app: FastAPI) -> None:
    """Add the page and its files to an application. They hold no data, and so need no token."""
    package = files("fastapi_swagger.resources")
    content = {name: (package / name).read_bytes() for name in LIBRARY}
    content |= {path.name: path.read_bytes() for path in FOLDER.iterdir() if path.suffix in KINDS}
    headers = HEADERS | {"Content-Security-Policy": POLICY}

    @app.get("/docs/{name}", response_model=None, include_in_schema=False)
    async def file(name: str) -> Response:
        if name not in content:
            raise HTTPException(404, "Not Found")
        return Response(content[name], media_type=KINDS[Path(name).suffix], headers=headers)

    @app.get("/docs", response_model=None, include_in_schema=False)
    async def page() -> Response:
        return await file("index.html")
