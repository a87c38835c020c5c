"""Every example of the document, at the demo: reads run as documentation pages fill them in, writes run twice."""

from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from app.api.openapi import for_clients
from tests.support.conformance import document, resolved
from tests.support.demos import running_demo

Part = dict[str, Any]

REFUSED_AGAIN = {
    "add_domain": "conflict",
    "release_campaign": "conflict",
    "add_customer_domain": "conflict",
    "add_mailbox": "conflict",
    "add_customer_mailbox": "conflict",
    "unsubscribe_addresses": "not_found",
}
"""What the platform itself does not do twice, and the code of its refusal."""
OF_WEBHOOKS = frozenset({"get_webhook", "list_deliveries", "rotate_webhook_secret", "test_webhook", "retry_delivery"})
"""What asks for a webhook by its id, which nobody knows before it is there."""


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx2.Client]:
    with running_demo(tmp_path_factory.mktemp("demo")) as demo:
        headers = {"Authorization": f"Bearer {demo['key']}", "Accept": "application/json"}
        with httpx2.Client(base_url=demo["url"], headers=headers) as running:
            yield running


def operations(method: str) -> Iterator[tuple[str, Part]]:
    for path, item in document()["paths"].items():
        if for_clients(path) and method in item:
            yield path, item[method]


def request(method: str, path: str, operation: Part) -> Part:
    """Return the request that a documentation page makes if nothing is typed but the key."""
    query = {}
    for parameter in operation.get("parameters", ()):
        if parameter["in"] == "path":
            path = path.replace(f"{{{parameter['name']}}}", str(parameter["example"]))
        elif parameter["in"] == "query" and "example" in parameter:
            query[parameter["name"]] = parameter["example"]
    return {"method": method, "url": path, "params": query, **body(operation.get("requestBody", {}).get("content", {}))}


def body(content: Part) -> Part:
    if "application/json" in content:
        offered = content["application/json"]
        named = [each["value"] for each in offered.get("examples", {}).values()]
        return {"json": (named or resolved(offered["schema"])["examples"])[0]}
    return {"files": {"file": ("价目表.txt", b"1 2 3")}} if content else {}


def test_every_write_succeeds_once_and_again(client: httpx2.Client) -> None:
    wrong = []
    for path, operation in operations("post"):
        name = operation["operationId"]
        for expected in ("not_found",) if name in OF_WEBHOOKS else (None, REFUSED_AGAIN.get(name)):
            answer = client.request(**request("post", path, operation))
            if (answer.json().get("code") if answer.is_error else None) != expected:
                wrong.append(f"{path} {answer.status_code} {answer.text}")
    assert not wrong


def test_every_read_runs_as_shown(client: httpx2.Client) -> None:
    answers = {
        path: client.request(**request("get", path, operation))
        for path, operation in operations("get")
        if operation["operationId"] not in OF_WEBHOOKS
    }
    assert not [f"{path} {answer.status_code} {answer.text}" for path, answer in answers.items() if answer.is_error]
