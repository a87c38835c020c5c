"""A gateway of many tenants, for tests that are no coroutines."""

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from itertools import cycle
from typing import Any

import httpx2
from fastapi import FastAPI

from app.sandbox import Account, Sandbox
from app.tenants.models import Tenant
from app.tenants.store import hash_key
from tests.resources.test_permission import KEYS, People
from tests.support.running import CHECKED, make_app
from tests.support.tenants import make_tenant


class Gateway:
    """A gateway of several tenants and its platform, on an event loop of their own."""

    def __init__(self, tenants: int) -> None:
        self._loop = asyncio.new_event_loop()
        self._ended = asyncio.Event()
        self._names = [f"office-{number}" for number in range(tenants)]
        self._next = cycle(self._names)
        self._clients: dict[str, People] = {}
        self.sandbox = Sandbox([Account(name, "password", seeded=True) for name in self._names])

    def next_office(self) -> str:
        """Return a tenant; the platform takes but 100 campaigns an hour of each."""
        return next(self._next)

    async def _serve(self, ready: "Future[None]") -> None:
        try:
            async with self.sandbox:
                app = make_app([self._tenant(name) for name in self._names], write_timeout=2)
                async with app.router.lifespan_context(app):
                    self._clients = {
                        name: {key: _client(app, f"umg_{name}_{key}") for key in KEYS} for name in self._names
                    }
                    ready.set_result(None)
                    await self._ended.wait()
        except BaseException as error:
            if not ready.done():
                ready.set_exception(error)
            raise

    def _tenant(self, name: str) -> Tenant:
        keys = [each.model_copy(update={"sha256": hash_key(f"umg_{name}_{each.id}")}) for each in KEYS.values()]
        rules = {"two_persons": True, "require_preflight": True}
        return make_tenant(tenant_id=name, base_url=self.sandbox.base_url, password="password", sends=rules, keys=keys)

    @contextmanager
    def running(self) -> Iterator["Gateway"]:
        ready: Future[None] = Future()
        thread = threading.Thread(target=self._loop.run_until_complete, args=(self._serve(ready),))
        thread.start()
        try:
            ready.result(30)
            yield self
        finally:
            self._loop.call_soon_threadsafe(self._ended.set)
            thread.join(30)
            self._loop.close()

    def do(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    def ask(self, office: str, key: str, method: str, path: str, **said: Any) -> httpx2.Response:
        response: httpx2.Response = self.do(self.client(office, key).request(method, path, **said))
        return response

    def client(self, office: str, key: str) -> httpx2.AsyncClient:
        return self._clients[office][key]


def _client(app: FastAPI, key: str) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app),
        base_url="http://gateway",
        headers={"X-API-Key": key},
        event_hooks=CHECKED,
    )
