"""Every sentence that the gateway shows to people, as the catalogues must know it."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

from app import errors
from app.api import handlers, languages, pages, strict_json
from app.api.openapi import build_openapi, for_clients, sentences
from app.messages import failures
from app.resources.campaigns.schemas import Status
from app.resources.imports import csv_table
from app.resources.reports import wording
from tests.support.running import make_app

APP = Path(__file__).parents[2] / "app"
_KINDS = {name: kind for name, kind in vars(errors).items() if isinstance(kind, type)}
_PROBLEMS = {name: kind for name, kind in _KINDS.items() if issubclass(kind, errors.GatewayError)}
_PLACES = {
    **dict.fromkeys((*_PROBLEMS, "sentence", "NeverSent", "MaybeSent", "_break", "unavailable"), 0),
    **dict.fromkeys(("PydanticCustomError", "outcome_unknown", "_needed"), 1),
    "FieldError": 3,
}
"""Which argument of a call is a sentence."""


def of_problems() -> Iterator[str]:
    """Yield titles, details and messages, wherever they are written in the code."""
    yield from (kind.title for kind in _PROBLEMS.values())
    yield from languages.TEMPLATES
    yield from handlers.DETAILS.values()
    yield from strict_json.FAULTS
    yield from csv_table.FAULTS
    yield from (reason for _, reason in failures.REASONS)
    yield from get_args(Status)
    for call in _calls():
        for each in _choices(_sentence(call)):
            if isinstance(each, ast.Constant) and isinstance(each.value, str):
                yield each.value


def of_pages() -> Iterator[str]:
    """Yield what stands on the pages themselves."""
    yield from pages.sentences()
    yield from wording.sentences()


def of_documents() -> Iterator[str]:
    """Yield the paragraphs of the clients' document."""
    yield from sentences(build_openapi(make_app([]), for_clients))


def formatted() -> Iterator[str]:
    """Yield where a sentence is put together so that no catalogue can know it."""
    for call in _calls():
        for each in _choices(_sentence(call)):
            if isinstance(each, ast.JoinedStr):
                yield f"{ast.unparse(call)[:120]}"


def _calls() -> Iterator[ast.Call]:
    for path in sorted(APP.rglob("*.py")):
        # Operators' tools and what is stored speak English.
        if not {"sandbox", "storage", "cli", "doctor"} & set(path.parts):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            yield from (node for node in ast.walk(tree) if isinstance(node, ast.Call) and _sentence(node) is not None)


def _name(call: ast.Call) -> str:
    function: Any = call.func
    return getattr(function, "id", "") or getattr(function, "attr", "")


def _sentence(call: ast.Call) -> ast.expr | None:
    place = _PLACES.get(_name(call))
    if place is None:
        return next((each.value for each in call.keywords if each.arg in {"find_out", "missing"}), None)
    return call.args[place] if len(call.args) > place else None


def _choices(node: ast.expr | None) -> Iterator[ast.expr]:
    if isinstance(node, ast.IfExp):
        yield from _choices(node.body)
        yield from _choices(node.orelse)
    elif isinstance(node, ast.BoolOp):
        for each in node.values:
            yield from _choices(each)
    elif node is not None:
        yield node
