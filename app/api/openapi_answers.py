"""Answers of the OpenAPI document: the headers each carries, and errors that are written down once."""

from typing import Any

from app.api.headers import HEADERS, headers
from app.api.problem_examples import problem_examples
from app.api.problems import MEDIA_TYPE

Operation = dict[str, Any]
Answer = dict[str, Any]

_DESCRIPTIONS = {"200": "What was asked for", "201": "Created", "202": "Accepted", "204": "Done"}
_UNDESCRIBED = "Successful Response"
_WAITED_FOR = frozenset({"409", "429", "502", "503"})
_REPLAYED = frozenset({"200", "201", "202", "204", "404", "409", "422", "502", "504"})
_BEFORE_LIMITS = frozenset({"401", "414", "431"})


def complete_answers(document: dict[str, Any]) -> None:
    """Give every answer its headers, and move errors with their examples to the components."""
    components = document["components"]
    components["headers"] = HEADERS
    components["examples"] = problem_examples()
    shared: dict[str, Answer] = {}
    for path, item in document["paths"].items():
        for method, operation in item.items():
            # What routes share, and other documents are made of, stays as it is.
            answers = {status: {**answer} for status, answer in operation["responses"].items()}
            for status, answer in answers.items():
                _complete(answer, status, path=path, method=method, schemas=components["schemas"])
            operation["responses"] = {
                status: _shared(answer, _prefix(path, method), shared) for status, answer in sorted(answers.items())
            }
    components["responses"] = dict(sorted(shared.items()))


def _complete(answer: Answer, status: str, *, path: str, method: str, schemas: dict[str, Any]) -> None:
    if answer["description"] == _UNDESCRIBED:
        answer["description"] = _DESCRIPTIONS[status]
    names = ["X-Request-ID", "traceparent"]
    if path != "/metrics" or MEDIA_TYPE in answer.get("content", {}):
        names.append("Cache-Control")
    if path.startswith("/v1/"):
        names += _of_resources(status, method)
    if path.startswith("/admin/"):
        names.append("Server-Timing")
    if status == "401":
        names.append("WWW-Authenticate")
    if status == "415":
        names.append("Accept")
    if status in _WAITED_FOR and MEDIA_TYPE in answer.get("content", {}):
        names.append("Retry-After")
    if status == "201":
        names.append("Location")
    if _is_page(answer, schemas):
        names.append("Link")
    given = answer.get("headers", {})
    answer["headers"] = headers(*names) | given


def _of_resources(status: str, method: str) -> list[str]:
    names = [] if status in _BEFORE_LIMITS else ["RateLimit-Policy", "RateLimit", "Server-Timing"]
    if method != "get" and status in _REPLAYED:
        names.append("Idempotency-Replayed")
    return names


def _is_page(answer: Answer, schemas: dict[str, Any]) -> bool:
    reference = answer.get("content", {}).get("application/json", {}).get("schema", {}).get("$ref", "")
    return "pagination" in schemas.get(reference.rpartition("/")[2], {}).get("properties", {})


def _prefix(path: str, method: str) -> str:
    if path.startswith("/admin/"):
        return "Admin"
    if not path.startswith("/v1/"):
        return "Service"
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
