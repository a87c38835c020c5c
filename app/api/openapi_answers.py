"""Answers of the OpenAPI document: the headers each carries, and errors that are written down once."""

from typing import Any

from app.api.problem_catalogue import problem_examples
from app.api.problems import MEDIA_TYPE

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


Operation = dict[str, Any]
Answer = dict[str, Any]

_DESCRIPTIONS = {"200": "The resource, as it is now", "201": "Created", "202": "Accepted", "204": "Done"}
_UNDESCRIBED = "Successful Response"
_REPLAYED = frozenset({"200", "201", "202", "204", "404", "409", "422", "504"})
_ANY_ERROR = "AnyError"
_ERROR_HEADERS = (
    "X-Request-ID",
    "traceparent",
    "Cache-Control",
    "Content-Language",
    "Vary",
    "RateLimit-Policy",
    "RateLimit",
    "Server-Timing",
    "WWW-Authenticate",
    "Accept",
    "Retry-After",
    "Idempotency-Replayed",
)


def complete_answers(document: dict[str, Any]) -> None:
    """Give every answer its headers, and every operation the errors that any request may meet, as `default`."""
    components = document["components"]
    components["headers"] = dict(HEADERS)
    components["examples"] = problem_examples()
    shared: dict[str, Answer] = {_ANY_ERROR: _any_error()}
    for path, item in document["paths"].items():
        for method, operation in item.items():
            # What routes share, and other documents are made of, stays as it is.
            answers = {status: {**answer} for status, answer in operation["responses"].items()}
            if "{" not in path:
                answers.pop("404", None)
            for status, answer in answers.items():
                _complete(answer, status, path=path, method=method)
            if _is_page(answers.get("200", {}), components["schemas"]):
                for status in answers.keys() & {"200", "304"}:
                    answers[status]["headers"] |= headers("Link")
            operation["responses"] = {
                status: _shared(answer, _prefix(path, method), shared) for status, answer in sorted(answers.items())
            } | {"default": {"$ref": f"#/components/responses/{_ANY_ERROR}"}}
    components["responses"] = dict(sorted(shared.items()))


def _any_error() -> Answer:
    examples = {code: {"$ref": f"#/components/examples/{code}"} for code in problem_examples()}
    return {
        "description": "Any other error: the [table of errors](errors) explains every `code`",
        "headers": headers(*_ERROR_HEADERS),
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}, "examples": examples}},
    }


def _complete(answer: Answer, status: str, *, path: str, method: str) -> None:
    if answer["description"] == _UNDESCRIBED:
        answer["description"] = _DESCRIPTIONS[status]
    is_problem = MEDIA_TYPE in answer.get("content", {})
    names = ["X-Request-ID", "traceparent"]
    if path != "/metrics" or is_problem:
        names.append("Cache-Control")
    names += _negotiated(answer)
    if path.startswith("/v1/"):
        names += ["RateLimit-Policy", "RateLimit", "Server-Timing"]
        if method != "get" and status in _REPLAYED:
            names.append("Idempotency-Replayed")
    if path.startswith("/admin/"):
        names.append("Server-Timing")
    if status in {"409", "503"} and is_problem:
        names.append("Retry-After")
    if status == "201":
        names.append("Location")
    answer["headers"] = headers(*names) | answer.get("headers", {})


def _negotiated(answer: Answer) -> list[str]:
    content = answer.get("content", {})
    names = ["Content-Language"] if MEDIA_TYPE in content else []
    if "application/json" in content:
        names.append("Content-Encoding")
    return [*names, "Vary"] if names else []


def _is_page(answer: Answer, schemas: dict[str, Any]) -> bool:
    reference = answer.get("content", {}).get("application/json", {}).get("schema", {}).get("$ref", "")
    return "pagination" in schemas.get(reference.rpartition("/")[2], {}).get("properties", {})


def _prefix(path: str, method: str) -> str:
    if path.startswith("/admin/"):
        return "Admin"
    return "" if method == "get" else "Write"


def _shared(answer: Answer, prefix: str, shared: dict[str, Answer]) -> Answer:
    """Return a reference to an error that stands in the components; other answers stay where they are.

    Raises:
        ValueError: two different answers would get the same name.
    """
    examples = answer.get("content", {}).get(MEDIA_TYPE, {}).get("examples")
    if examples is None:
        return answer
    name = prefix + "Or".join(code.title().replace("_", "") for code in examples)
    if shared.setdefault(name, answer) != answer:
        raise ValueError(f"two answers are called {name}")
    return {"$ref": f"#/components/responses/{name}"}
