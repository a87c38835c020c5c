"""Swagger UI and ReDoc from packaged assets: nothing on these pages asks another machine for anything."""

import base64
import hashlib
import re
from asyncio import to_thread
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import fastapi_offline
from fastapi import FastAPI, Request
from fastapi.openapi.docs import get_redoc_html, get_swagger_ui_html
from starlette.responses import JSONResponse, Response
from starlette.staticfiles import StaticFiles

_ASSETS = Path(fastapi_offline.__file__).parent / "static"
_MOUNT = "/static"
_REDOC = "redoc.standalone.js"
# ReDoc's bundle holds one address abroad, of a logo; an empty picture takes its place.
_LOGO = b"https://cdn.redoc.ly/redoc/logo-mini.svg"
_NO_LOGO = b"data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg'/>"
_INLINE_SCRIPT = re.compile(rb"<script>(.*?)</script>", re.DOTALL)
_SWAGGER_OPTIONS = {"persistAuthorization": True, "displayRequestDuration": True, "tryItOutEnabled": True}


def install_pages(app: FastAPI) -> None:
    """Add `/docs`, `/redoc` `/openapi.json` and their assets to an application that was made without them."""

    async def redoc_bundle() -> Response:
        # Read each time: it is a megabyte, and browsers keep it for a day.
        redoc = await to_thread((_ASSETS / _REDOC).read_bytes)
        return Response(
            redoc.replace(_LOGO, _NO_LOGO),
            media_type="text/javascript",
            headers={"Cache-Control": "public, max-age=86400"},
        )

    async def swagger_ui(request: Request) -> Response:
        root = request.scope.get("root_path", "")
        page = get_swagger_ui_html(
            openapi_url=f"{root}/openapi.json",
            title=f"{app.title} – Swagger UI",
            swagger_js_url=f"{root}{_MOUNT}/swagger-ui-bundle.js",
            swagger_css_url=f"{root}{_MOUNT}/swagger-ui.css",
            swagger_favicon_url=f"{root}{_MOUNT}/favicon.png",
            swagger_ui_parameters=_SWAGGER_OPTIONS,
        )
        return _guarded(page)

    async def redoc_page(request: Request) -> Response:
        root = request.scope.get("root_path", "")
        page = get_redoc_html(
            openapi_url=f"{root}/openapi.json",
            title=f"{app.title} – ReDoc",
            redoc_js_url=f"{root}{_MOUNT}/{_REDOC}",
            redoc_favicon_url=f"{root}{_MOUNT}/favicon.png",
            with_google_fonts=False,
        )
        return _guarded(page)

    @cache
    def document() -> bytes:
        # Where the loop is: models are not built by several threads at once.
        return bytes(JSONResponse(app.openapi()).body)

    async def openapi() -> Response:
        return Response(document(), media_type="application/json")

    pages: dict[str, Callable[..., Any]] = {
        "/docs": swagger_ui,
        "/redoc": redoc_page,
        "/openapi.json": openapi,
        f"{_MOUNT}/{_REDOC}": redoc_bundle,
    }
    for path, page in pages.items():
        app.add_api_route(path, page, include_in_schema=False, response_model=None)
    app.mount(_MOUNT, StaticFiles(directory=_ASSETS), name="static")


def _guarded(page: Response) -> Response:
    """Let a page use what is its own and nothing else: these scripts, this origin.

    Both pages style themselves as they are drawn, which no hash can cover, and ReDoc searches in a worker that it makes
    from text.
    """
    scripts = " ".join(f"'sha256-{_sha256(script)}'" for script in _INLINE_SCRIPT.findall(bytes(page.body)))
    page.headers["Content-Security-Policy"] = "; ".join(
        [
            "default-src 'none'",
            f"script-src 'self' {scripts}".rstrip(),
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' data:",
            "font-src 'self' data:",
            "connect-src 'self'",
            "worker-src blob:",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        ]
    )
    return page


def _sha256(script: bytes) -> str:
    return base64.b64encode(hashlib.sha256(script).digest()).decode("ascii")
