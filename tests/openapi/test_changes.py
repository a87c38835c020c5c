"""What counts as a change that clients cannot live with; and that there is none since the last release."""

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.conformance import document
from tests.support.contract.changes import Weight
from tests.support.contract.operations import compare_documents
from tests.support.tools import FOLDER

Part = dict[str, Any]
Edit = Callable[[Part], object]

LISTS = "/v1/lists"
RELEASED = sorted((FOLDER / "released").glob("*.json"), key=lambda path: [int(part) for part in path.stem.split(".")])
EXCERPT = (
    LISTS,
    "/v1/contacts",
    "/v1/contacts/{contact_id}",
    "/v1/lists/{list_id}/contacts",
    "/v1/imports/{import_id}",
    "/v1/templates",
    "/v1/templates/{template_id}",
    "/v1/campaigns",
    "/v1/delivery-failures",
    "/v1/campaigns/{campaign_id}/tracking",
    "/v1/messages",
    "/admin/v1/tenants/{tenant_id}",
    "/admin/v1/tenants/{tenant_id}/probe",
    "/healthz",
)
"""Paths that the edits are made at; comparing all of them dozens of times would take its time."""


def excerpt() -> Part:
    """Return a part of the document that can be edited."""
    whole = document()
    return copy.deepcopy({**whole, "paths": {path: whole["paths"][path] for path in EXCERPT}})


def changed(edit: Edit) -> dict[str, Weight]:
    """Return the kinds of changes that an edit of the present document makes."""
    edited = excerpt()
    edit(edited)
    return {change.kind: change.weight for change in compare_documents(excerpt(), edited)}


def get(it: Part, path: str = LISTS) -> Part:
    found: Part = it["paths"][path]["get"]
    return found


def post(it: Part, path: str = LISTS) -> Part:
    found: Part = it["paths"][path]["post"]
    return found


def parameter(it: Part, path: str, name: str) -> Part:
    (found,) = (each for each in get(it, path)["parameters"] if each["name"] == name)
    return found  # type: ignore[no-any-return]  # the document is plain JSON


def schema(it: Part, name: str) -> Part:
    found: Part = it["components"]["schemas"][name]
    return found


def field(it: Part, name: str, of: str) -> Part:
    found: Part = schema(it, of)["properties"][name]
    return found


def without(part: Part, *names: str) -> None:
    for name in names:
        del part[name]


BREAKING: dict[str, list[Edit]] = {
    "path_removed": [lambda it: it["paths"].pop(LISTS)],
    "method_removed": [lambda it: it["paths"][LISTS].pop("post")],
    "operation_id_changed": [lambda it: get(it).update(operationId="find_contact_lists")],
    "status_removed": [
        lambda it: post(it)["responses"].pop("201"),
        lambda it: without(post(it)["responses"], "409", "default"),
    ],
    "header_removed": [lambda it: get(it)["responses"]["200"]["headers"].pop("ETag")],
    "media_type_removed": [
        lambda it: get(it, "/v1/delivery-failures")["responses"]["200"]["content"].pop("text/csv"),
        lambda it: post(it, "/v1/templates")["requestBody"]["content"].pop("multipart/form-data"),
    ],
    "security_strengthened": [
        lambda it: get(it).update(security=[{"bearer": ["manage"]}, {"api_key": ["read"]}]),
        lambda it: get(it).update(security=[{"bearer": ["read"]}]),
        lambda it: get(it).update(security=[{"bearer": ["read"], "api_key": ["read"]}]),
        lambda it: get(it, "/healthz").update(security=[{"bearer": []}]),
    ],
    "parameter_removed": [lambda it: get(it, "/v1/contacts")["parameters"].pop(0)],
    "parameter_required": [lambda it: parameter(it, "/v1/contacts", "q").update(required=True)],
    "required_parameter_added": [
        lambda it: get(it)["parameters"].append(
            {"name": "since", "in": "query", "required": True, "schema": {"type": "string"}}
        )
    ],
    "body_removed": [lambda it: post(it).pop("requestBody")],
    "body_required": [
        lambda it: post(it, "/admin/v1/tenants/{tenant_id}/probe").update(
            requestBody={"required": True, "content": {"application/json": {"schema": {"type": "object"}}}}
        ),
    ],
    "request_type_changed": [
        lambda it: field(it, "list_id", "NewCampaign").update(type="string"),
        lambda it: field(it, "reply_to", "NewCampaign").update(type="string"),
    ],
    "request_format_changed": [
        lambda it: field(it, "description", "NewContactList").update(format="email"),
        lambda it: field(it, "reply_to", "NewCampaign").update(format="hostname"),
    ],
    "request_enum_narrowed": [
        lambda it: schema(it, "ContactListStatus")["enum"].remove("disabled"),
        lambda it: field(it, "name", "NewContactList").update(enum=["a"]),
        lambda it: parameter(it, "/v1/campaigns", "status")["schema"]["enum"].remove("held"),
    ],
    "request_maxLength_narrowed": [lambda it: field(it, "name", "NewContactList").update(maxLength=10)],
    "request_minimum_narrowed": [lambda it: parameter(it, "/v1/contacts", "page")["schema"].update(minimum=2)],
    "request_minItems_narrowed": [lambda it: field(it, "attachments", "NewTemplate").update(minItems=1)],
    "request_pattern_changed": [lambda it: field(it, "name", "NewContactList").update(pattern="^a")],
    "request_not_changed": [lambda it: schema(it, "TemplateChanges").update({"not": {"required": ["name"]}})],
    "request_property_removed": [lambda it: schema(it, "NewContactList")["properties"].pop("description")],
    "request_property_required": [
        lambda it: schema(it, "NewContactList")["required"].append("description"),
        lambda it: (
            schema(it, "NewContactList")["properties"].update(owner={"type": "string"}),
            schema(it, "NewContactList")["required"].append("owner"),
        ),
    ],
    "request_closed": [lambda it: field(it, "variables", "NewContact").update(additionalProperties=False)],
    "request_names_changed": [lambda it: field(it, "headers", "NewMessage")["patternProperties"].clear()],
    "request_alternative_removed": [lambda it: field(it, "reply_to", "NewMessage")["anyOf"].pop()],
    "answer_type_changed": [
        lambda it: field(it, "id", "ContactList").update(type="string"),
        lambda it: field(it, "id", "ContactList").update(type="number"),
        lambda it: field(it, "id", "ContactList").update(type=["integer", "null"]),
        lambda it: field(it, "id", "ContactList").pop("type"),
        lambda it: field(it, "data", "ContactListCollection").update(type="object"),
    ],
    "answer_format_changed": [
        lambda it: field(it, "created_at", "Contact").pop("format"),
        lambda it: field(it, "created_at", "Contact").update(format="date"),
    ],
    "answer_enum_widened": [
        lambda it: schema(it, "CampaignStatus")["enum"].append("archived"),
        lambda it: schema(it, "ImportStatus").pop("enum"),
        lambda it: field(it, "status", "Health").pop("const"),
    ],
    "answer_property_removed": [
        lambda it: without(schema(it, "ContactList")["properties"], "name"),
        lambda it: without(schema(it, "Problem")["properties"], "detail"),
    ],
    "answer_property_optional": [lambda it: schema(it, "ContactList")["required"].remove("name")],
    "answer_opened": [lambda it: field(it, "variables", "Contact").update(additionalProperties=True)],
    "answer_names_changed": [lambda it: field(it, "cache", "TenantView")["patternProperties"].clear()],
    "answer_alternative_added": [
        lambda it: field(it, "status", "ContactList")["anyOf"].append({"type": "integer"}),
    ],
}
WARNINGS: dict[str, Edit] = {
    "schema_name_removed": lambda it: _inline(it, "Limits"),
    "problem_code_removed": lambda it: it["components"]["responses"]["AnyError"]["content"]["application/problem+json"][
        "examples"
    ].pop("rate_limited"),
    "success_added": lambda it: post(it)["responses"].update({"202": {"description": "Later"}}),
    "request_default_changed": lambda it: field(it, "unsubscribe_link", "NewCampaign").update(default=False),
    "answer_maximum_widened": lambda it: field(it, "open_rate", "Tracking").pop("maximum"),
}
HARMLESS: dict[str, Edit] = {
    "a new path": lambda it: it["paths"].update({"/v1/new": it["paths"][LISTS]}),
    "a new method": lambda it: it["paths"][LISTS].update(put=post(it)),
    "an optional parameter": lambda it: get(it)["parameters"].append(
        {"name": "since", "in": "query", "schema": {"type": "string"}}
    ),
    "an optional field of a request": lambda it: schema(it, "NewContactList")["properties"].update(
        owner={"type": "string"}
    ),
    "a field of an answer": lambda it: schema(it, "ContactList")["properties"].update(owner={"type": "string"}),
    "an error": lambda it: get(it)["responses"].update({"418": {"description": "A teapot"}}),
    "a wider type of a request": lambda it: field(it, "name", "NewContactList").update(type=["string", "null"]),
    "a number where an integer was sent": lambda it: field(it, "list_id", "NewCampaign").update(type="number"),
    "an error of its own that is told with all others": lambda it: post(it)["responses"].pop("409"),
    "a wider integer": lambda it: field(it, "status_code", "Campaign").pop("format"),
    "a wider limit of a request": lambda it: field(it, "name", "NewContactList").update(maxLength=1000),
    "no limit of a request": lambda it: field(it, "name", "NewContactList").pop("maxLength"),
    "a wider enumeration of a request": lambda it: schema(it, "ContactListStatus")["enum"].append("archived"),
    "a narrower enumeration of an answer": lambda it: schema(it, "CampaignStatus")["enum"].remove("paused"),
    "a field of a request that need not be there": lambda it: schema(it, "NewContactList")["required"].clear(),
    "another alternative of a request": lambda it: field(it, "reply_to", "NewMessage")["anyOf"].append(
        {"type": "integer"}
    ),
    "weaker security": lambda it: get(it).update(security=[*get(it)["security"], {}]),
    "other words": lambda it: get(it).update(summary="Show lists", description="Shows lists."),
}


def _inline(it: Part, name: str) -> None:
    """Write a schema out where it was referred to."""
    whole = it["components"]["schemas"].pop(name)
    for model in it["components"]["schemas"].values():
        for each in model.get("properties", {}).values():
            if each.get("$ref", "").endswith(f"/{name}"):
                del each["$ref"]
                each.update({key: value for key, value in whole.items() if key != "description"})


def test_a_document_has_no_changes_from_itself() -> None:
    assert compare_documents(document(), copy.deepcopy(document())) == []


@pytest.mark.parametrize(("kind", "edit"), [(kind, edit) for kind, edits in BREAKING.items() for edit in edits])
def test_a_breaking_change_is_found(kind: str, edit: Edit) -> None:
    found = changed(edit)
    assert found.get(kind) is Weight.BREAKING, found


@pytest.mark.parametrize("kind", WARNINGS)
def test_a_doubtful_change_is_a_warning(kind: str) -> None:
    assert changed(WARNINGS[kind]) == {kind: Weight.WARNING}


@pytest.mark.parametrize("name", HARMLESS)
def test_a_harmless_change_is_none(name: str) -> None:
    assert changed(HARMLESS[name]) == {}


def test_changes_say_where_they_are() -> None:
    edited = copy.deepcopy(document())
    del schema(edited, "ContactList")["properties"]["name"]
    found = {str(change) for change in compare_documents(document(), edited)}
    assert "breaking: answer_property_removed at GET /v1/lists 200 application/json/data/items/name" in found


def test_schemas_that_contain_themselves_are_compared() -> None:
    def nested(kind: str) -> Part:
        tree = {"type": "object", "properties": {"id": {"type": kind}, "below": {"$ref": "#/components/schemas/Tree"}}}
        answer = {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Tree"}}}}
        return {
            "paths": {"/tree": {"get": {"operationId": "get_tree", "responses": {"200": answer}}}},
            "components": {"schemas": {"Tree": tree}},
        }

    found = compare_documents(nested("integer"), nested("string"))
    assert [change.kind for change in found] == ["answer_type_changed"]


def test_nothing_breaks_the_released_contract() -> None:
    released = json.loads(RELEASED[-1].read_text(encoding="utf-8"))
    assert released["info"]["version"] == RELEASED[-1].stem
    breaking = {str(each) for each in compare_documents(released, document()) if each.weight is Weight.BREAKING}
    assert breaking == set()
