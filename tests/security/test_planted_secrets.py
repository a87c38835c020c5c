"""A secret of each kind is planted in a whole service; what it leaves behind holds none of them.

The gateway runs as operators run it: a process of its own, tenants in a database, state in Valkey, an audit file, all
of it at the most talkative log level. What it does succeeds, fails and is refused.
"""

import base64
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest

from app.sandbox import Account, Sandbox
from tests.support.canaries import forms
from tests.support.collector import Collector, collecting
from tests.support.gateways import PROGRAM, GatewayProcess, running_gateway
from tests.support.tokens import AUDIENCE, ISSUER, providing, public_jwk, rsa_key, token
from tests.support.valkey import ValkeyServer

MASTER = base64.urlsafe_b64encode(b"MasterCanary-of-32-bytes-in-all!").decode()
ADMIN = "AdminCanary-operators-token-5d1e7c"
TENANT = "TenantCanary:91c2+/%'ü"
STAGED = "StagedCanary;47aa&=ö"
MAILBOX = "MbxCanary'7f3a&/=%<é>"
RELAY = 'RelayCanary\\5b2c"ß'
CONTENT = "ContentCanary-0f9e of a template nobody else may read"
MESSAGE = "MessageCanary-31d4 of a message nobody else may read"
WRONG = "umg_WrongCanary8b1f"
COLLECTOR = "CollectorCanary-77ab"

KEYS = "/admin/v1/tenants/acme/keys"


@dataclass(frozen=True)
class Service:
    """Everything that runs."""

    gateway: GatewayProcess
    valkey: ValkeyServer
    folder: Path
    sandbox: Sandbox
    client: httpx2.AsyncClient
    token: str
    collector: Collector

    async def ask(self, method: str, path: str, key: str, status: int, body: Any = None, **headers: str) -> Any:
        """Send a request, and return the answer's text."""
        headers = {"Authorization": f"Bearer {key}", **headers}
        response = await self.client.request(method, path, json=body, headers=headers)
        assert response.status_code == status, f"{method} {path}: {response.status_code}"
        return response


@pytest.fixture
async def service(tmp_path: Path, valkey: ValkeyServer) -> AsyncIterator[Service]:
    key = rsa_key()
    accounts = [Account(username="acme", password=TENANT, role="customer", seeded=True)]
    async with (
        Sandbox(accounts=accounts, smtp=True) as sandbox,
        providing(public_jwk(key, "one")) as provider,
        collecting() as collector,
        running_gateway(
            tmp_path,
            {
                "DATA_DIR": tmp_path,
                "AUDIT_LOG": tmp_path / "audit.jsonl",
                "STATE_URL": valkey.url,
                "MASTER_KEY": MASTER,
                "ADMIN_TOKEN": ADMIN,
                "LOG_LEVEL": "DEBUG",
                "JWT_ISSUER": ISSUER,
                "JWT_AUDIENCE": AUDIENCE,
                "JWT_JWKS_URL": provider.url,
                "RETRY_ATTEMPTS": 1,
                "OTLP_ENDPOINT": collector.url,
                "OTLP_LOGS": True,
                "OTLP_HEADERS": f"x-token={COLLECTOR}",
            },
            program=PROGRAM,
        ) as gateway,
        httpx2.AsyncClient(base_url=gateway.url, timeout=30) as client,
    ):
        yield Service(gateway, valkey, tmp_path, sandbox, client, token(key), collector)


def left_behind(service: Service) -> Mapping[str, bytes]:
    """Return everything that others may come to see, by where it stands."""
    found = {path.name: path.read_bytes() for path in service.folder.iterdir() if path.is_file()}
    found |= {f"what is traced ({number})": body for number, body in enumerate(service.collector.bodies)}
    with service.valkey.client() as client:
        for name in client.keys("*"):
            found[f"Valkey {name!r}"] = name + (client.dump(name) or b"")
            if client.type(name) == b"string":
                found[f"Valkey {name!r} (value)"] = client.get(name) or b""
            elif client.type(name) == b"hash":
                found[f"Valkey {name!r} (fields)"] = repr(client.hgetall(name)).encode()
    return found


def assert_clean(texts: Mapping[str, bytes], secrets: list[str]) -> None:
    for secret in secrets:
        for form in forms(secret):
            for where, text in texts.items():
                assert form.encode() not in text, f"{where} shows {secret[:12]}…"


async def use(service: Service) -> tuple[list[str], list[httpx2.Response]]:
    """Do what has to do with secrets, well and badly; return the keys that were made, and the answers."""
    ask = service.ask
    login = {"base_url": service.sandbox.base_url, "username": "acme", "password": TENANT}
    relay = {
        "host": "127.0.0.1",
        "port": service.sandbox.smtp_port,
        "username": "news@acme.example",
        "password": RELAY,
    }
    answers = [
        await ask("POST", "/admin/v1/tenants", ADMIN, 201, {"id": "acme", "name": "Acme", "upstream": login}),
        await ask("PATCH", "/admin/v1/tenants/acme", ADMIN, 200, {"smtp": relay}),
        await ask("PUT", "/admin/v1/tenants/acme/credentials", ADMIN, 422, login | {"password": STAGED}),
        await ask("POST", "/admin/v1/tenants/acme/credentials/stage", ADMIN, 200, login | {"password": STAGED}),
        await ask("POST", "/admin/v1/tenants", ADMIN, 422, {"id": "x", "name": 7, "upstream": login | {"port": 1}}),
        await ask("GET", "/admin/v1/tenants", WRONG, 401),
        await ask("GET", "/v1/account", WRONG, 401),
        await ask("GET", "/v1/account", service.token, 200),
        await ask("GET", "/v1/account", service.token[:-4] + "AAAA", 401),
    ]
    made = await ask("POST", KEYS, ADMIN, 201, {"scopes": ["read", "write", "send"]})
    key = str(made.json()["key"])
    box = {"address": "editor@news.example.com", "password": MAILBOX}
    template = {"name": "t", "subjects": ["s"], "html": CONTENT}
    message = {
        "from": {"email": "news@acme.example"},
        "to": [{"email": "reader@example.com"}],
        "subject": "s",
        "text": MESSAGE,
    }
    answers += [
        await ask("POST", "/v1/domains", key, 201, {"domain": "news.example.com"}),
        await ask("POST", "/v1/templates", key, 201, template, **{"Idempotency-Key": "kept-answer"}),
        await ask("POST", "/v1/templates", key, 201, template, **{"Idempotency-Key": "kept-answer"}),
        await ask("POST", "/v1/mailboxes", key, 422, box | {"address": MAILBOX}),
    ]
    for method, path, body in (
        ("POST", "/v1/mailboxes", box),
        ("PUT", f"/v1/mailboxes/{box['address']}/password", {"password": MAILBOX}),
        ("POST", "/v1/messages", message),
    ):
        # Whether the platform takes it plays no part.
        answers.append(
            await service.client.request(method, path, json=body, headers={"X-API-Key": key, "Idempotency-Key": path})
        )
    await service.sandbox.stop()
    answers += [
        await ask("GET", "/v1/account/service", key, 503),
        await ask("PUT", "/v1/mailboxes/editor@news.example.com/password", key, 503, {"password": MAILBOX}),
        await ask("GET", "/metrics", key, 200),
        await ask("GET", "/admin/v1/tenants/acme", ADMIN, 200),
        await ask("DELETE", f"{KEYS}/{made.json()['record']['id']}", ADMIN, 200),
    ]
    return [key], answers


async def test_none_of_them_shows(service: Service) -> None:
    keys, answers = await use(service)
    arguments = service.gateway.arguments
    await service.gateway.terminate()
    secrets = [MASTER, ADMIN, TENANT, STAGED, MAILBOX, RELAY, MESSAGE, WRONG, service.token, *keys]
    texts = {
        **left_behind(service),
        "the arguments": arguments.encode(),
        **{
            f"answer {number}": response.content + repr(response.headers).encode()
            for number, response in enumerate(answers)
        },
    }
    assert {"log", "audit.jsonl", "gateway.db"} <= texts.keys()
    assert any(where.startswith("Valkey") for where in texts)
    assert {"POST /v1/mailboxes", "domains.add", "messages.submit"} <= {span.name for span in service.collector.spans}
    assert {"request"} <= {line.text for line in service.collector.lines}
    assert_clean(texts, [*secrets, COLLECTOR])
    # What a template says goes back to its owner.
    assert_clean({where: text for where, text in texts.items() if not where.startswith("answer")}, [CONTENT])


async def test_they_were_there_to_be_found(service: Service) -> None:
    """A search that could not find anything would prove nothing."""
    (service.folder / "leak").write_bytes(f"…{MAILBOX}…".encode())
    with pytest.raises(AssertionError, match="leak shows MbxCanary"):
        assert_clean(left_behind(service), [MAILBOX])
