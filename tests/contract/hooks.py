"""What Schemathesis cannot know of the gateway; it loads this file itself, as the `hooks` of `schemathesis.toml`.

No module here imports this one: what it registers holds for a whole process.
"""

import json
from itertools import count
from typing import Any

import schemathesis
from hypothesis import strategies
from schemathesis.core.failures import Failure

_KEYS = count()
_BEYOND_SCHEMAS = frozenset({"exclusive", "conflicting"})
"""Codes of refused fields for which JSON Schema has no words: what one parameter means for another."""


class RefusedAlthoughValid(Failure):
    """The document allows what the gateway refuses."""


@schemathesis.hook
def before_call(context: schemathesis.HookContext, case: schemathesis.Case, kwargs: dict[str, Any]) -> None:
    """Give every valid request an idempotency key of its own, where it has one: a repeated key says nothing new."""
    headers = case.headers or {}
    if case.meta is not None and case.meta.generation.mode.is_positive and "Idempotency-Key" in headers:
        headers["Idempotency-Key"] = f"key-{next(_KEYS)}"


@schemathesis.check
def schema_is_what_is_checked(
    ctx: schemathesis.CheckContext, response: schemathesis.Response, case: schemathesis.Case
) -> None:
    """Fail where a request that the document allows is refused as invalid."""
    if case.meta is None or not case.meta.generation.mode.is_positive or response.status_code not in {400, 413, 415, 422}:
        return
    problem = response.json()
    codes = {each["code"] for each in problem.get("errors", ())}
    if problem["code"] in {"upstream_rejected", "idempotency_key_reused"} or (codes and codes <= _BEYOND_SCHEMAS):
        return
    fields = {(each.get("pointer") or each.get("parameter"), each["code"]) for each in problem.get("errors", ())}
    raise RefusedAlthoughValid(
        operation=case.operation.label,
        title=f"Valid data refused: {problem['code']} {sorted(fields, key=str)[:3]}",
        message=response.text,
    )


_CELLS = strategies.text(strategies.characters(codec="utf-8"), max_size=20)
_ROWS = strategies.dictionaries(strategies.sampled_from(["email", "name", "sex", "birthday", "phone", "area"]), _CELLS)


def _lines(rows: list[dict[str, str]]) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


schemathesis.openapi.media_type(
    "application/x-ndjson", strategies.lists(_ROWS, max_size=4).map(_lines) | strategies.binary(max_size=200)
)
schemathesis.openapi.media_type(
    "text/csv",
    strategies.lists(strategies.lists(_CELLS, max_size=4).map(",".join), max_size=4).map(
        lambda rows: "\n".join(["email,name,birthday", *rows]).encode()
    ),
)
