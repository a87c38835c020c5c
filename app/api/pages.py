"""Pages for people, and the OpenAPI document: nothing on them asks another machine for anything.

Every link is relative, so that pages work below any prefix.
"""

import json
from asyncio import to_thread
from collections.abc import Callable, Sequence
from functools import cache
from html import escape
from pathlib import Path
from string import Template
from typing import Annotated, Any

import fastapi_offline
from fastapi import FastAPI, Query, Request
from starlette.responses import JSONResponse, Response
from starlette.staticfiles import StaticFiles

from app import __version__
from app.api.languages import TAGS, Catalogue, Language, catalogue, language_of
from app.api.negotiation import accept_header, preferred
from app.api.openapi import build_openapi, for_clients, for_operators
from app.api.openapi_texts import TITLE
from app.api.problem_catalogue import EXPLANATIONS

_ASSETS = Path(__file__).with_name("assets")
_VENDOR = Path(fastapi_offline.__file__).parent / "static"
_REDOC = "redoc.standalone.js"
# ReDoc's bundle holds one address abroad, of a logo; an empty picture takes its place.
_LOGO = b"https://cdn.redoc.ly/redoc/logo-mini.svg"
_NO_LOGO = b"data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg'/>"
_SERVER = b'"servers":[{"url":"/"'
_JSON, _HTML = "application/json", "text/html"
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'{styles}; img-src 'self' data:; font-src 'self' data:;"
    " connect-src 'self'; worker-src blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
# Swagger UI and ReDoc style themselves as they are drawn, which no hash can cover.
_DRAWN = _POLICY.format(styles=" 'unsafe-inline'")
_WRITTEN = _POLICY.format(styles="")
_FRESH = {"Cache-Control": "private, no-cache"}
_LINKS = (("docs", "Try it (Swagger UI)"), ("redoc", "Reference (ReDoc)"), ("errors", "Errors"))
_WORDS = {
    "filter": "Filter by path or summary",
    "headers": "Headers",
    "key": "API key",
    "given": "Given. “Logout” forgets it.",
}

_Lang = Annotated[Language | None, Query()]


def install_pages(app: FastAPI, *, operators: bool) -> None:
    """Add the documentation and its assets; what is for operators only where they have a token."""

    @cache
    def document(includes: Callable[[str], bool], language: Language) -> bytes:
        # Where the loop is: models are not built by several threads at once.
        return bytes(JSONResponse(build_openapi(app, includes, catalogue(language))).body)

    def show(path: str, endpoint: Callable[..., Any]) -> None:
        app.add_api_route(path, endpoint, include_in_schema=False, response_model=None)

    def add(prefix: str, includes: Callable[[str], bool]) -> None:
        async def openapi(request: Request, lang: _Lang = None) -> Response:
            content = document(includes, lang or "en")
            server = json.dumps(request.state.context.root_path or "/").encode()
            content = content.replace(_SERVER, _SERVER.replace(b'"/"', server), 1)
            return Response(content, media_type="application/json", headers=_FRESH)

        async def swagger_ui(request: Request, lang: _Lang = None) -> Response:
            return _Page(request, lang, prefix).show("docs", _DRAWN)

        async def redoc(request: Request, lang: _Lang = None) -> Response:
            return _Page(request, lang, prefix).show("redoc", _DRAWN)

        show(f"{prefix}/openapi.json", openapi)
        show(f"{prefix}/docs", swagger_ui)
        show(f"{prefix}/redoc", redoc)

    add("", for_clients)
    if operators:
        add("/admin", for_operators)
    show("/", _home)
    show("/errors", _errors)
    show(f"/static/{_REDOC}", _redoc_bundle)
    app.mount("/static", StaticFiles(directory=_VENDOR))
    app.mount("/assets", StaticFiles(directory=_ASSETS))


async def _home(request: Request, lang: _Lang = None) -> Response:
    root = f"{str(request.base_url).rstrip('/')}{request.state.context.root_path}"
    if preferred(accept_header(request.headers), (_JSON, _HTML)) == _HTML:
        page = _Page(request, lang).show("home", _WRITTEN, url=escape(root), version=__version__)
        page.headers["Vary"] = "Accept, Accept-Language"
        return page
    body = {"name": "umail-gateway", "version": __version__, "documentation": f"{root}/docs"}
    return JSONResponse({**body, "openapi": f"{root}/openapi.json"}, headers={"Vary": "Accept", **_FRESH})


async def _errors(request: Request, lang: _Lang = None) -> Response:
    page = _Page(request, lang)
    rows = [
        f'<tr id="{kind.code}"><td>{kind.status}</td><td><code>{kind.code}</code></td>'
        f"<td><strong>{page.words(kind.title)}</strong><br>{page.words(meaning)}</td></tr>"
        for kind, meaning in EXPLANATIONS.items()
    ]
    return page.show("errors", _WRITTEN, rows="\n".join(rows))


async def _redoc_bundle() -> Response:
    # Read each time: it is a megabyte, and browsers keep it for a day.
    redoc = await to_thread((_VENDOR / _REDOC).read_bytes)
    headers = {"Cache-Control": "public, max-age=86400"}
    return Response(redoc.replace(_LOGO, _NO_LOGO), media_type="text/javascript", headers=headers)


class _Page:
    """One page in one language: the one that the URL names, or else the one that the browser prefers."""

    def __init__(self, request: Request, lang: Language | None, prefix: str = "") -> None:
        self._up = ".." if prefix else "."
        self._language = lang or language_of(request.scope)
        self._words: Catalogue = catalogue(self._language)

    def words(self, message: str) -> str:
        """Translate a sentence and write it as HTML, with `code` as code."""
        parts = escape(self._words.gettext(message)).split("`")
        return "".join(f"<code>{part}</code>" if place % 2 else part for place, part in enumerate(parts))

    def show(self, name: str, policy: str, **values: str) -> Response:
        """Return the page called `name`."""
        translated = {key: self._words.gettext(word) for key, word in _WORDS.items()}
        content = Template(_template(name)).substitute(
            tag=TAGS[self._language],
            lang=self._language,
            title=escape(self._words.gettext(TITLE)),
            up=self._up,
            links=self._links(name),
            document=f"openapi.json?lang={self._language}",
            words=escape(json.dumps(translated, ensure_ascii=False)),
            **{each: self.words(message) for each, message in _TEXTS.get(name, {}).items()},
            **values,
        )
        headers = {
            "Content-Security-Policy": policy,
            "Content-Language": TAGS[self._language],
            "Vary": "Accept-Language",
            **_FRESH,
        }
        return Response(content, media_type="text/html", headers=headers)

    def _links(self, current: str) -> str:
        other: Language = "zh" if self._language == "en" else "en"
        links: Sequence[tuple[str, str, str]] = (
            (f"{self._up}/", "U-Mail Gateway", ""),
            *(
                (f"{self._up if name == 'errors' else '.'}/{name}", self._words.gettext(text), name)
                for name, text in _LINKS
            ),
        )
        here = {current: " aria-current=page"}
        written = [
            f'<a href="{href}?lang={self._language}"{here.get(name, "")}>{escape(text)}</a>'
            for href, text, name in links
        ]
        language = "中文" if other == "zh" else "English"
        return "".join([*written, f'<a class="language" href="?lang={other}" lang="{TAGS[other]}">{language}</a>'])


_TEXTS: dict[str, dict[str, str]] = {
    "home": {
        "lead": "A typed REST API in front of the U-Mail e-mail marketing platform: contact lists, templates,"
        " campaigns, statistics and tracking as JSON, with errors that say what happened"
        " and whether trying again is safe.",
        "documentation": "Documentation",
        "try": "try every operation in the browser.",
        "read": "read the reference, with every field explained.",
        "errors": "Errors",
        "explain": "what each code means, and what to do.",
        "generate": "the document from which clients are generated.",
        "keys": "Getting a key",
        "ask": "Ask the operators of this gateway for an API key. Operators make one on the command line, or over"
        " `/admin/v1`:",
        "call": "A first call",
        "status": "Status",
        "ready": "Is the gateway ready?",
        "release": "Version",
    },
    "errors": {
        "heading": "Errors",
        "lead": "Every error is a problem document (RFC 9457), `application/problem+json`. Programs decide by its"
        " `code`; people read `title` and `detail`, which come in Chinese where `Accept-Language` prefers it.",
        "status": "Status",
        "code": "Code",
        "meaning": "Meaning, and what to do",
    },
}


@cache
def _template(name: str) -> str:
    return (_ASSETS / f"{name}.html").read_text(encoding="utf-8")


def sentences() -> list[str]:
    """Return what pages say in the reader's language."""
    meanings = [*EXPLANATIONS.values(), *(kind.title for kind in EXPLANATIONS)]
    texts = [each for page in _TEXTS.values() for each in page.values()]
    return [TITLE, *_WORDS.values(), *(text for _, text in _LINKS), *texts, *meanings]
