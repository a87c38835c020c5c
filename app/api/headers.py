"""Headers of answers as the OpenAPI document describes them; each stands there once, and answers refer to it."""

from typing import Any

_TEXT: dict[str, Any] = {"type": "string"}
_COUNT: dict[str, Any] = {"type": "integer", "minimum": 0}

HEADERS: dict[str, dict[str, Any]] = {
    name: {"description": description, "schema": schema, "example": example}
    for name, description, schema, example in (
        (
            "X-Request-ID",
            "The request's id: the caller's own if it is sane, a new one otherwise.",
            _TEXT,
            "5b0c6c3e4a5f4b0e8d8f4f0c8a1d2e3f",
        ),
        (
            "traceparent",
            "The request's trace (W3C Trace Context): the caller's own if it is sane.",
            _TEXT,
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        ),
        (
            "Server-Timing",
            "Where the time went, if the platform was called: each call, and the whole.",
            _TEXT,
            'upstream;dur=41.2;desc="lists.list ok try 1", total;dur=42.0',
        ),
        ("Cache-Control", "Whether and for how long the answer may be kept (RFC 9111).", _TEXT, "no-store"),
        ("RateLimit-Policy", "The limits of the tenant and of the key.", _TEXT, '"tenant";q=600;w=60'),
        ("RateLimit", "What is left of these limits.", _TEXT, '"tenant";r=599;t=60'),
        ("Retry-After", "Seconds after which trying again makes sense.", _COUNT, 5),
        ("WWW-Authenticate", "How to authenticate (RFC 9110).", _TEXT, 'Bearer realm="umail-gateway"'),
        ("Accept", "What the body may be.", _TEXT, "application/json"),
        ("ETag", "What `If-None-Match` may name (RFC 9110).", _TEXT, '"9f86d081884c7d65"'),
        ("Age", "Seconds since the platform gave the answer.", _COUNT, 2),
        ("Cache-Status", "Where the answer comes from (RFC 9211).", _TEXT, "umail-gateway; hit; ttl=28"),
        ("Content-Language", "The language of titles, details and messages (RFC 9110).", _TEXT, "en"),
        ("Vary", "Which headers of the request decide about the answer.", _TEXT, "Accept, Accept-Encoding"),
        (
            "Link",
            "The collection's first, previous, next and last page, as far as they are known (RFC 8288).",
            _TEXT,
            '</v1/contacts?page=2>; rel="next"',
        ),
        ("Location", "The path of what was created or accepted.", _TEXT, "/v1/lists/418801"),
        (
            "Idempotency-Replayed",
            "`true` where this is the answer to an earlier request with the same `Idempotency-Key`.",
            {"type": "string", "const": "true"},
            "true",
        ),
        ("Preference-Applied", "For how long at most it was waited (RFC 7240).", _TEXT, "wait=30"),
        ("Content-Encoding", "`gzip` where the request prefers it.", _TEXT, "gzip"),
        (
            "Content-Disposition",
            "The file's name, for CSV.",
            _TEXT,
            'attachment; filename="lists-418801-contacts.csv"',
        ),
    )
}
"""Headers by their names."""

CACHED = ("ETag", "Cache-Control", "Age", "Cache-Status", "Vary")
"""What an answer carries that may be kept."""


def headers(*names: str) -> dict[str, Any]:
    """Return the `headers` of an answer that carries those named.

    Raises:
        KeyError: one of them is not described.
    """
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names if HEADERS[name]}
