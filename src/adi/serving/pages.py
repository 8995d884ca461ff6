"""Pages for people: the explorer at `/`, and the reference of the HTTP interface (swagger-ui) at `/docs`.

The pages hold no data. The browser loads nothing from other hosts, but for the pictures of items, where a bundle has
their addresses: from the hosts of these alone.
"""

from collections.abc import Callable, Collection, Mapping
from importlib.resources import files
from pathlib import Path

from fastapi import APIRouter, Response
from starlette.exceptions import HTTPException

EXPLORER, REFERENCE = (Path(__file__).parent / name for name in ("explorer", "reference"))
SWAGGER = files("fastapi_swagger.resources")
MEDIA_TYPES = {".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src {images}; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def add_pages(router: APIRouter, picture_sources: Callable[[], Collection[str]]) -> None:
    """Add the pages and the files that they load; pictures of items come from `picture_sources` at the time."""
    swagger = {name: (SWAGGER / name).read_bytes() for name in ("swagger-ui-bundle.js", "swagger-ui.css")}
    _add_page(
        router, "/", "/explorer", _read(EXPLORER), images=lambda: " ".join(["'self'", *sorted(picture_sources())])
    )
    _add_page(router, "/docs", "/docs", _read(REFERENCE) | swagger, images=lambda: "'self' data:")  # in swagger-ui.css


def _read(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix in MEDIA_TYPES}


def _add_page(
    router: APIRouter, path: str, folder: str, content: Mapping[str, bytes], *, images: Callable[[], str]
) -> None:
    """Add a page at `path`, and its files below `folder`; `images` are the sources of its images."""
    headers = {
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-cache",  # always the files of the running version
    }

    async def file(name: str) -> Response:
        if name not in content:
            raise HTTPException(404, "Not Found")
        policy = {"Content-Security-Policy": POLICY.format(images=images())}
        return Response(content[name], media_type=MEDIA_TYPES[Path(name).suffix], headers=headers | policy)

    async def page() -> Response:
        return await file("index.html")

    router.add_api_route(path, page, include_in_schema=False)
    router.add_api_route(f"{folder}/{{name}}", file, include_in_schema=False)
