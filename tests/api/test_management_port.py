"""What operators ask for has an address of its own."""

from pathlib import Path

import httpx2

from app.sandbox import Sandbox
from tests.support.gateways import key_of, running_gateway, tenants_file
from tests.support.servers import unused_port

TOKEN = "operators-token-of-forty-characters-here"
PUBLIC = ("/", "/docs", "/openapi.json", "/errors", "/v1/account")
MANAGEMENT = ("/metrics", "/admin/v1/breakers", "/admin/docs", "/admin/openapi.json")
BOTH = ("/healthz", "/readyz", "/static/redoc.standalone.js")


async def test_each_port_answers_its_own_paths_and_no_others(tmp_path: Path, sandbox: Sandbox) -> None:
    port = unused_port()
    settings = {
        "TENANTS_URL": tenants_file(tmp_path, sandbox.base_url, [("acme", "密码:acme")]),
        "DATA_DIR": tmp_path,
        "ADMIN_TOKEN": TOKEN,
        "MANAGEMENT_PORT": port,
    }
    async with running_gateway(tmp_path, settings) as gateway, httpx2.AsyncClient() as client:
        management = f"http://127.0.0.1:{port}"
        for paths, key, url, other in (
            (PUBLIC, key_of("acme"), gateway.url, management),
            (MANAGEMENT, TOKEN, management, gateway.url),
        ):
            headers = {"Authorization": f"Bearer {key}"}
            for path in paths:
                assert (await client.get(url + path, headers=headers)).status_code == 200, path
                elsewhere = await client.get(other + path, headers=headers)
                assert (elsewhere.status_code, elsewhere.json()["code"]) == (404, "not_found"), path
        for path in BOTH:
            assert [(await client.get(url + path)).status_code for url in (gateway.url, management)] == [200, 200]
        for path in ("/admin", "/admin/", "/%61dmin/v1/breakers"):
            # Whose token it is plays no part, nor does what the request says of the port.
            headers = {"Authorization": "Bearer wrong", "Host": f"127.0.0.1:{port}"}
            assert (await client.get(gateway.url + path, headers=headers)).status_code == 404
        assert f'"management":"{management}"' in gateway.log
