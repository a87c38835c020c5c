"""Who may call an endpoint, with a platform that must not be called."""

import httpx2

from app.tenants.models import ApiKey, Scope
from app.tenants.store import hash_key
from tests.support.problems import problem
from tests.support.running import client_of, make_app
from tests.support.tenants import make_tenant

_KEY = "umg_test-key-with-other-scopes"


async def assert_needs(scope: Scope, method: str, path: str) -> None:
    """Assert that an endpoint answers 401 without a key and 403 to a key that has every scope but `scope`."""

    def refuse(request: httpx2.Request) -> httpx2.Response:
        raise AssertionError(f"{request.method} {request.url.path} reached the platform")

    key = ApiKey(id="other", sha256=hash_key(_KEY), scopes=frozenset(Scope) - {scope})
    app = make_app([make_tenant(keys=(key,))], httpx2.MockTransport(refuse))
    async with client_of(app, key=None) as client:
        problem(await client.request(method, path), 401, "unauthenticated")
        headers = {"X-API-Key": _KEY}
        problem(await client.request(method, path, headers=headers), 403, "insufficient_scope")
