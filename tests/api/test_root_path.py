"""The gateway below a path: what it answers with leads back to it, through a proxy that takes the path off."""

import asyncio
import re
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from urllib.parse import urljoin

import httpx2
import pytest
from fastapi import FastAPI

from app.api.protocol import BoundedProtocol, ConnectionBounds
from app.sandbox import Sandbox
from tests.conftest import ACCOUNTS
from tests.support.misbehaving import tenant_of
from tests.support.running import client_of, make_app
from tests.support.servers import unused_port
from tests.support.sockets import served
from tests.support.tenants import KEY

NGINX = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
CONFIGURATION = """
daemon off; pid {folder}/nginx.pid; error_log {folder}/nginx.err; events {{}}
http {{
  access_log off; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  server {{
    listen 127.0.0.1:{port};
    location /umail/ {{
      proxy_pass http://127.0.0.1:{gateway}/; proxy_set_header Host $host:$server_port;
      proxy_set_header X-Forwarded-Prefix /umail;
      gzip on; gzip_types application/json; gzip_min_length 1; gzip_proxied any;
    }}
  }}
}}
"""


@asynccontextmanager
async def nginx(gateway: int, folder: Path) -> AsyncIterator[int]:
    """Run nginx in front of a gateway."""
    port = unused_port()
    configuration = folder / "nginx.conf"
    configuration.write_text(CONFIGURATION.format(folder=folder, port=port, gateway=gateway))
    errors = str(folder / "nginx.err")
    process = await asyncio.create_subprocess_exec(str(NGINX), "-e", errors, "-c", str(configuration))
    try:
        await asyncio.wait_for(_listening(port), 20)
        yield port
    finally:
        process.terminate()
        await process.wait()


async def _listening(port: int) -> None:
    """Wait for a program that does not tell when it listens."""
    with suppress(OSError):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.close()
        return
    await asyncio.sleep(0.02)
    await _listening(port)


@asynccontextmanager
async def below(app: FastAPI, proxy: str, folder: Path) -> AsyncIterator[httpx2.AsyncClient]:
    """Yield a client that sees the gateway below `/umail/`, as nginx shows it or as the headers of a proxy have it."""
    headers = {"Authorization": f"Bearer {KEY}seeded"}
    bounds = ConnectionBounds(head_bytes=16_384, head_seconds=60, stall_seconds=60)
    async with served(app, partial(BoundedProtocol, bounds=bounds)) as gateway:
        if proxy == "nginx":
            async with (
                nginx(gateway, folder) as port,
                httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=60) as client,
            ):
                yield client
            return

        class TakesOff(httpx2.AsyncHTTPTransport):
            async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
                request.url = request.url.copy_with(raw_path=request.url.raw_path.removeprefix(b"/umail"))
                request.headers["X-Forwarded-Prefix"] = "/umail"
                return await super().handle_async_request(request)

        url = f"http://127.0.0.1:{gateway}"
        async with httpx2.AsyncClient(base_url=url, headers=headers, transport=TakesOff(), timeout=60) as client:
            yield client


@pytest.mark.parametrize("proxy", ["headers", *(["nginx"] if NGINX else [])])
async def test_everything_leads_back_through_the_proxy(proxy: str, tmp_path: Path, sandbox: Sandbox) -> None:
    account = next(each for each in ACCOUNTS if each.username == "seeded")
    app = make_app([tenant_of(account, sandbox.base_url)], trusted_proxies="127.0.0.0/8", cache_lifetimes={})
    async with below(app, proxy, tmp_path) as client:
        for page in ("/umail/", "/umail/docs", "/umail/redoc", "/umail/errors"):
            shown = await client.get(page, headers={"Accept": "text/html"})
            assert shown.status_code == 200
            links = re.findall(r"""(?:src|href)="([^"?#]+)""", shown.text)
            assert links
            for link in links:
                url = urljoin(str(client.base_url.join(page)), link)
                assert "/umail/" in url, link
                assert (await client.get(url)).status_code == 200, link
        told = (await client.get("/umail/", headers={"Accept": "application/json"})).json()
        document = (await client.get(told["openapi"])).json()
        assert document["servers"][0]["url"] == "/umail"

        first, again = [await client.get("/umail/v1/campaigns?page_size=2") for _ in range(2)]
        assert first.headers["link"] == again.headers["link"]
        linked = re.findall(r"<([^>]+)>", first.headers["link"])
        assert linked
        for link in linked:
            assert link.startswith("/umail/v1/campaigns?"), link
        message = {"name": "Readers"}
        created = await client.post("/umail/v1/lists", json=message, headers={"Idempotency-Key": "one"})
        assert created.status_code == 201
        assert created.headers["location"].startswith("/umail/v1/lists/")


async def test_a_setting_says_it_where_the_proxy_does_not() -> None:
    async with client_of(make_app([], root_path="/umail/", trusted_proxies="10.0.0.0/8")) as client:
        document = (await client.get("/openapi.json", headers={"X-Forwarded-Prefix": "/other"})).json()
    assert document["servers"][0]["url"] == "/umail"
