"""Security headers; that every other test's answers carry them is checked in `tests/support/conformance.py`."""

import re

import httpx2
import pytest

from tests.support.conformance import check_headers


@pytest.mark.parametrize(
    "path",
    ["/v1/lists", "/v1/nothing", "/nothing", "/healthz", "/readyz", "/metrics", "/openapi.json", "/static/nothing.js"],
)
@pytest.mark.parametrize("method", ["GET", "PUT", "OPTIONS"])
async def test_every_answer_carries_them(offline: httpx2.AsyncClient, method: str, path: str) -> None:
    response = await offline.request(method, path, headers={"Authorization": "Bearer wrong"})
    check_headers(response)
    assert response.headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"


@pytest.mark.parametrize("path", ["/docs", "/redoc"])
async def test_pages_run_their_own_scripts_only(offline: httpx2.AsyncClient, path: str) -> None:
    response = await offline.get(path)
    check_headers(response)
    directives = dict(each.partition(" ")[::2] for each in response.headers["content-security-policy"].split("; "))
    scripts = directives["script-src"].split()
    assert scripts[0] == "'self'"
    assert all(each.startswith("'sha256-") for each in scripts[1:])
    assert len(scripts) - 1 == len(re.findall(r"<script(?![^>]*src=)", response.text))
    assert directives["connect-src"] == "'self'"
    assert directives["base-uri"] == directives["form-action"] == directives["default-src"] == "'none'"
