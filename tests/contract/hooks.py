"""What Schemathesis cannot know of the gateway; it loads this file itself, as the `hooks` of `schemathesis.toml`.

No module here imports this one: what it registers holds for a whole process.
"""

import os
import re
from itertools import count
from typing import Any

import schemathesis
from schemathesis.core.failures import AcceptedNegativeData, Failure

from tests.contract.target import SENDER

_KEY = re.compile("[!-~]{1,255}")
_NUMBERS = count()
_LONG = 100_000
_ROWS = ("application/x-ndjson", "text/csv")
"""Media types of which a schema says no more than that they are text."""
_BEYOND_SCHEMAS = frozenset(
    {
        # What one field means for another.
        "before_date",
        "conflicting",
        "exclusive",
        "incomplete_login",
        "missing",
        "no_body",
        "not_applicable",
        "one_of_needed",
        "range_order",
        "tenant_missing",
        "username_colon",
        # What a format promises only in part.
        "base_url",
        "domain_name",
        "email_address",
        "ip_any_network",
        "time_range",
        # That 5.0 is an integer, too: a strict reader wants it written as 5.
        "int_type",
        # What is more than a form.
        "confirmation_needed",
        "content_id_without_html",
        "login_refused",
        # Which events there are, and where receivers may be.
        "unknown_event",
        "receiver_url",
        "every_type",
        "login_unknown",
        "no_contacts",
        "repeated_content_id",
        "repeated_header",
        "reserved_header",
        "time_in_past",
        "too_large",
        "too_many_days",
        "too_many_recipients",
    }
)
"""Codes of refused fields for which JSON Schema has no words."""


class RefusedAlthoughValid(Failure):
    """The document allows what the gateway refuses."""


@schemathesis.hook
def before_call(context: schemathesis.HookContext, case: schemathesis.Case[Any], kwargs: dict[str, Any]) -> None:
    """Have valid requests name what is there, so that they get further than to a refusal."""
    number = next(_NUMBERS)
    if _KEY.fullmatch(str(case.headers.get("Idempotency-Key", ""))):
        # A repeated key says nothing new.
        case.headers["Idempotency-Key"] = f"key-{number}"
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return
    body: Any = case.body
    if case.path == "/v1/messages":
        body["from"]["email"] = SENDER
    if case.path == "/v1/campaigns" and case.method == "POST" and number % 2:
        body |= {"template_ids": [_known("template_id")], "list_id": _known("list_id")}
        body |= {"sender": {"type": "any"}, "schedule": {"mode": "hold"}}


@schemathesis.hook
def filter_failure(
    context: schemathesis.HookContext, failure: Failure, case: schemathesis.Case[Any], response: schemathesis.Response
) -> bool:
    """Leave out that a form took a value of another type: whatever is sent in a form is text."""
    return not (isinstance(failure, AcceptedNegativeData) and case.media_type == "multipart/form-data")


@schemathesis.hook
def map_path_parameters(
    context: schemathesis.HookContext, path_parameters: dict[str, Any] | None
) -> dict[str, Any] | None:
    """Put the customer who is there in the place of those who might be."""
    given = (path_parameters or {}).get("customer_id")
    if path_parameters and isinstance(given, int) and 0 < given < 2**53:
        path_parameters["customer_id"] = _known("customer_id")
    return path_parameters


@schemathesis.hook
def before_load_schema(context: schemathesis.HookContext, raw_schema: dict[str, Any]) -> None:
    """Leave out the limits of whole documents: to make up texts as long as that takes longer than all else."""
    for schema in raw_schema["components"]["schemas"].values():
        for field in schema.get("properties", {}).values():
            for form in (field, *field.get("anyOf", ())):
                if form.get("maxLength", 0) > _LONG:
                    del form["maxLength"]


def _known(name: str) -> int:
    return int(os.environ[f"FUZZED_{name.upper()}"])


@schemathesis.check
def schema_is_what_is_checked(
    ctx: schemathesis.CheckContext, response: schemathesis.Response, case: schemathesis.Case[Any]
) -> None:
    """Fail where a request that the document allows is refused as invalid."""
    if (
        case.meta is None
        or not case.meta.generation.mode.is_positive
        or response.status_code not in {400, 413, 415, 422}
    ):
        return
    if case.media_type in _ROWS:
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


@schemathesis.serializer("application/x-ndjson", "text/csv")
def write_rows(context: schemathesis.SerializationContext, value: Any) -> bytes:
    """Send a text as it is."""
    return value if isinstance(value, bytes) else str(value).encode()
