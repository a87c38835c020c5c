"""HTML from values: everything is escaped unless it is markup already."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from html import escape

from fastapi import Request
from starlette.responses import Response

from app import __version__

_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)


class Markup(str):
    """Text that is HTML."""

    __slots__ = ()


def cell(value: object) -> str:
    """Return a value as people read it."""
    match value:
        case Markup():
            text: str = value
        case bool():
            text = "yes" if value else "no"
        case datetime():
            text = f'<time datetime="{value.isoformat()}">{value.astimezone(UTC):%Y-%m-%d %H:%M}</time>'
        case int():
            text = f"{value:,}"
        case list() | tuple() | frozenset():
            text = escape(", ".join(sorted(map(str, value))))
        case _:
            text = escape(str(value if value is not None else ""))
    return text or "–"


def table(names: Sequence[str], rows: Iterable[Sequence[object]], empty: str) -> Markup:
    """Return a table; on narrow screens each cell is shown under its name."""
    named = [f'<td data-name="{escape(name)}">' for name in names]
    lines = [
        "<tr>" + "".join(f"{start}{cell(value)}</td>" for start, value in zip(named, row, strict=True)) + "</tr>"
        for row in rows
    ]
    if not lines:
        return Markup(f'<p class="soft">{escape(empty)}</p>')
    head = "".join(f"<th>{escape(name)}</th>" for name in names)
    return Markup(f'<table class="cards"><thead><tr>{head}</tr></thead><tbody>{"".join(lines)}</tbody></table>')


def section(title: str, *parts: str) -> Markup:
    """Return a part of a page under a heading."""
    return Markup(f"<section><h2>{escape(title)}</h2>{''.join(parts)}</section>")


def link(href: str, text: str) -> Markup:
    return Markup(f'<a href="{escape(href)}">{escape(text)}</a>')


def mark(text: str, kind: str) -> Markup:
    """Return a word that stands out: `good`, `bad` or `soft`."""
    return Markup(f'<span class="{kind}">{escape(text)}</span>')


def button(action: str, text: str, form_token: str, fields: str = "") -> Markup:
    """Return a form with one button."""
    return Markup(
        f'<form method="post" action="{escape(action)}"><input type="hidden" name="form_token" value="{form_token}">'
        f"{fields}<button>{escape(text)}</button></form>"
    )


def page(request: Request, title: str, body: str, *, session: str | None = None, status: int = 200) -> Response:
    """Return a whole page; `session` is what the form to sign out carries."""
    root = request.state.context.root_path
    out = button(f"{root}/admin/sign-out", "Sign out", session) if session else ""
    content = (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>'
        f'{escape(title)} · U-Mail Gateway</title><meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<link rel="icon" href="{root}/static/favicon.png"><link rel="stylesheet" href="{root}/assets/page.css">'
        f'<link rel="stylesheet" href="{root}/assets/console.css"></head><body><nav class="bar">'
        f'<a href="{root}/admin">U-Mail Gateway</a><span class="soft">{__version__}</span>'
        f'<a href="{root}/admin/docs">Operators’ API</a>{out}</nav><main class="console"><h1>{escape(title)}</h1>{body}'
        "</main></body></html>"
    )
    headers = {"Content-Security-Policy": _POLICY, "Cache-Control": "no-store"}
    return Response(content, status_code=status, media_type="text/html", headers=headers)
