"""Checking problem documents."""

from typing import Any
from urllib.parse import unquote

import httpx2


def problem(response: httpx2.Response, status: int, code: str) -> dict[str, Any]:
    """Assert that a response is the problem document expected, and return it."""
    assert response.headers["content-type"] == "application/problem+json", response.text
    body: dict[str, Any] = response.json()
    assert (response.status_code, body["status"], body["code"]) == (status, status, code), body
    assert body["type"].endswith(f":{code}")
    assert body["title"]
    assert body["detail"]
    assert unquote(body["instance"]) == response.request.url.path
    assert body["request_id"] == response.headers["x-request-id"]
    return body


def refused_fields(response: httpx2.Response) -> set[str]:
    """Assert that fields were refused, and return their pointers and parameters."""
    body = problem(response, 422, "validation_failed")
    assert all(error["code"] and error["message"] for error in body["errors"])
    return {error.get("pointer", error.get("parameter")) for error in body["errors"]}
