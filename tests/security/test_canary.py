"""Unique passwords and keys go through everything that can happen; afterwards none of them stands anywhere.

The platform itself must have received them: a canary that was never sent proves nothing.
"""

import asyncio
import base64
import hashlib
import html
import json
import logging
import traceback
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from io import StringIO
from typing import Any
from urllib.parse import parse_qs, quote, quote_plus, urlsplit

import httpx2
import pytest
from fastapi import FastAPI
from pydantic import SecretStr

from app.errors import GatewayError
from app.gateway.call import Gateway
from app.gateway.context import Caller, RequestContext
from app.gateway.pages import PageRequest
from app.resources.mailboxes import operations
from app.resources.mailboxes.schemas import NewMailbox, NewPassword
from app.sandbox import Account, Sandbox
from app.telemetry.logs import configure_logging
from app.tenants.models import ApiKey, Scope, Tenant, UpstreamAccount
from app.tenants.store import hash_key
from app.upstream.envelope import address
from tests.support.canaries import forms
from tests.support.running import client_of, make_app
from tests.support.servers import Behaviour, read_request, reset, serving, unused_port
from tests.support.tenants import TRACE

MAILBOX_PASSWORD = "MbxCanary'7f3a&/=% <é>"
TENANT_PASSWORD = "TenantCanary:91c2+/%'ü\""
API_KEY = "umg_KeyCanary4e5d-k7Qw/+="
WORD_PASSWORD = "WordCanary5c0ffee"
WRONG_KEY = "umg_WrongKeyCanary8b1f-zz"
ADDRESS = "editor@news.example.com"

BODY = {"address": ADDRESS, "password": MAILBOX_PASSWORD}
CALLS: list[tuple[str, str, dict[str, str] | None]] = [
    ("POST", "/v1/mailboxes", BODY),
    ("PUT", f"/v1/mailboxes/{ADDRESS}/password", {"password": MAILBOX_PASSWORD}),
    ("GET", "/v1/domains/news.example.com/mailboxes", None),
]


CANARIES = {name: forms(name) for name in (MAILBOX_PASSWORD, TENANT_PASSWORD, WORD_PASSWORD, API_KEY, WRONG_KEY)}


def assert_clean(text: str, where: str) -> None:
    found = [canary for canary, shapes in CANARIES.items() for shape in shapes if shape in text]
    assert not found, f"{where} shows {set(found)}:\n{text}"


def tenant(base_url: str, auth: str = "basic", password: str = TENANT_PASSWORD) -> Tenant:
    account = UpstreamAccount.model_validate(
        {"base_url": base_url, "auth": auth, "username": "acme", "password": password}
    )
    key = ApiKey(id="canary", sha256=hash_key(API_KEY), scopes=frozenset(Scope))
    return Tenant(id="acme", name="Acme", role="manager", upstream=account, keys=(key,))


@pytest.fixture
def log() -> Iterator[StringIO]:
    """The log as the service writes it, at its most talkative."""
    stream = StringIO()
    configure_logging("DEBUG", stream)
    yield stream
    configure_logging("DEBUG", StringIO())


@pytest.fixture
def nothing_shows(log: StringIO, caplog: pytest.LogCaptureFixture) -> Callable[[], None]:
    def check() -> None:
        assert_clean(log.getvalue(), "the log")
        for record in caplog.records:
            assert_clean(repr(vars(record)) + record.getMessage(), f"a record of {record.name}")
            if record.exc_info:
                assert_clean("".join(traceback.format_exception(record.exc_info[1])), f"a traceback of {record.name}")

    return check


@dataclass
class Running:
    """The gateway in front of some platform."""

    app: FastAPI
    client: httpx2.AsyncClient
    tenant: Tenant
    answers: list[httpx2.Response] = field(default_factory=list)

    async def request(self, method: str, path: str, **body: Any) -> httpx2.Response:
        response = await self.client.request(method, path, **body)
        self.answers.append(response)
        return response

    async def check(self) -> None:
        for response in self.answers:
            assert_clean(response.text + repr(response.headers.multi_items()), "an answer")
        assert_clean((await self.client.get("/metrics")).text, "the metrics")


@asynccontextmanager
async def running(
    base_url: str, auth: str = "basic", password: str = TENANT_PASSWORD, seconds: float = 10
) -> AsyncIterator[Running]:
    made = tenant(base_url, auth, password)
    app = make_app([made], interactive_timeout=seconds, write_timeout=seconds)
    async with client_of(app, API_KEY) as client:
        yield Running(app, client, made)


class Platform:
    """Answers each request with what `write` makes of it, and remembers it."""

    def __init__(self, write: Callable[[str], bytes] | None) -> None:
        self._write = write
        self.requests: list[str] = []

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = (await read_request(reader)).decode("latin-1")
        self.requests.append(request)
        if self._write is None:
            reset(writer)
            return
        writer.write(self._write(request))
        await writer.drain()

    def received(self, password: str) -> bool:
        queries = [parse_qs(urlsplit(request.split(" ", 2)[1]).query) for request in self.requests]
        return any(query.get("pwd") == [password] for query in queries)


def reply(body: str, status: str = "200 OK", content_type: str = "text/html; charset=utf-8") -> bytes:
    content = body.encode()
    head = f"HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {len(content)}\r\nConnection: close"
    return f"{head}\r\n\r\n".encode() + content


def result(status: str, data: str) -> str:
    return f'<?xml version="1.0" encoding="UTF-8"?><result><status>{status}</status><data>{data}</data></result>'


def quoting(request: str) -> str:
    """Return everything a talkative platform could quote of a request, itself included."""
    secrets = [TENANT_PASSWORD, MAILBOX_PASSWORD] if "pwd=" in request else [TENANT_PASSWORD]
    token = base64.b64encode(f"acme:{TENANT_PASSWORD}".encode()).decode()
    digest = hashlib.md5(TENANT_PASSWORD.encode()).hexdigest()
    encoded = "".join(
        write(secret)
        for secret in secrets
        for write in (str, quote, quote_plus, html.escape, lambda secret: quote(secret, safe="").replace("%C3", "%c3"))
    )
    return f"{request} {encoded} {token} {digest}"


def cdata(request: str) -> str:
    return f"<![CDATA[{quoting(request)}]]>"


ECHOES: dict[str, Callable[[str], bytes] | None] = {
    "refusal": lambda request: reply(result("error", cdata(request))),
    "refusal_cut_in_the_secret": lambda _: reply(result("error", f"<![CDATA[{'x' * 485}{TENANT_PASSWORD}]]>")),
    "status_word": lambda request: reply(result(cdata(request), "no")),
    "web_page_500": lambda request: reply(f"<html><body>{quoting(request)}</body></html>", "500 Oops"),
    "web_page_200": lambda request: reply(f"<html><body>{quoting(request)}</body></html>"),
    "credentials_refused": lambda request: reply(quoting(request), "401 Unauthorized", "text/plain"),
    "too_many": lambda request: reply(quoting(request), "429 Too Many"),
    "redirect": lambda request: reply("", f"302 Found\r\nLocation: http://127.0.0.1:9{request.split(' ', 2)[1]}"),
    "not_well_formed": lambda request: reply(f"<result><status>success</status><data>{quoting(request)}"),
    "text": lambda request: reply(quoting(request), content_type="text/plain"),
    "other_document": lambda request: reply(f"<other>{cdata(request)}</other>"),
    "broken_charset": lambda request: reply(f"<result>{cdata(request)}</result>").replace("é".encode(), b"\xff"),
    "not_http": lambda request: f"{request.split(' ', 2)[1]} {quoting(request)}\r\n\r\n".encode(),
    "bad_header": lambda request: f"HTTP/1.1 200 OK\r\n{request.split(' ', 2)[1]}\r\n\r\n".encode(),
    "cut": lambda request: reply(result("error", cdata(request)))[:-20],
    "reset": None,
}


async def silence(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    await read_request(reader)
    await asyncio.Event().wait()


class TestSuccess:
    @pytest.mark.parametrize("auth", ["basic", "legacy"])
    async def test_the_platform_alone_sees_the_password(self, auth: str, nothing_shows: Callable[[], None]) -> None:
        async with Sandbox([Account("acme", TENANT_PASSWORD)]) as sandbox:
            base_url = sandbox.base_url if auth == "basic" else sandbox.legacy_base_url
            async with running(base_url, auth) as gateway:
                await gateway.client.post("/v1/domains", json={"domain": "news.example.com"})
                for (method, path, body), status in zip(CALLS, (201, 204, 200), strict=True):
                    response = await gateway.request(method, path, json=body)
                    assert response.status_code == status, response.text
                await gateway.check()
            sent = [call.query["pwd"] for call in sandbox.calls if "pwd" in call.query]
        assert sent == [MAILBOX_PASSWORD, MAILBOX_PASSWORD]
        nothing_shows()


class TestFailure:
    @pytest.mark.parametrize("auth", ["basic", "legacy"])
    @pytest.mark.parametrize("echo", ECHOES)
    async def test_a_platform_that_quotes_the_request(
        self, echo: str, auth: str, nothing_shows: Callable[[], None]
    ) -> None:
        platform = Platform(ECHOES[echo])
        async with serving(platform) as base_url, running(base_url, auth) as gateway:
            for method, path, body in CALLS:
                response = await gateway.request(method, path, json=body)
                assert response.headers["content-type"] == "application/problem+json"
            await gateway.check()
        assert len(platform.requests) == len(CALLS)
        assert platform.received(MAILBOX_PASSWORD)
        nothing_shows()

    async def test_element_names(self, log: StringIO, nothing_shows: Callable[[], None]) -> None:
        element = f"<{WORD_PASSWORD}>1</{WORD_PASSWORD}>"
        bodies = [
            f"<mailbox_list><data><mailbox>post@news.example.com</mailbox>{element}</data></mailbox_list>",
            element,
        ]
        platform = Platform(lambda _: reply(bodies.pop(0)))
        async with serving(platform) as base_url, running(base_url, password=WORD_PASSWORD) as gateway:
            assert (await gateway.request("GET", CALLS[2][1])).status_code == 200
            response = await gateway.request("GET", CALLS[2][1])
            assert response.json()["upstream"]["message"] == "a document <***> where <mailbox_list> was promised"
            await gateway.check()
        assert "mailbox_list/data/***" in log.getvalue()
        nothing_shows()

    @pytest.mark.parametrize("behaviour", [silence, None], ids=["time_out", "unreachable"])
    async def test_a_platform_that_does_not_answer(
        self, behaviour: Behaviour | None, nothing_shows: Callable[[], None]
    ) -> None:
        async def drive(base_url: str) -> None:
            async with running(base_url, seconds=0.1) as gateway:
                for method, path, body in CALLS:
                    assert (await gateway.request(method, path, json=body)).status_code in {503, 504}
                await gateway.check()

        if behaviour is None:
            await drive(f"http://127.0.0.1:{unused_port()}/")
        else:
            async with serving(behaviour) as base_url:
                await drive(base_url)
        nothing_shows()


class TestRefusal:
    @pytest.mark.parametrize(
        "body",
        [
            json.dumps({"address": ADDRESS, "password": MAILBOX_PASSWORD + "\n"}),
            json.dumps({"address": ADDRESS, "password": MAILBOX_PASSWORD * 10}),
            json.dumps({"address": ADDRESS, "password": [MAILBOX_PASSWORD]}),
            json.dumps({"address": ADDRESS, "password": {"value": MAILBOX_PASSWORD}}),
            json.dumps({"address": ADDRESS, "passwd": MAILBOX_PASSWORD}),
            json.dumps({"address": "no address", "password": MAILBOX_PASSWORD}),
            json.dumps([MAILBOX_PASSWORD]),
            json.dumps(MAILBOX_PASSWORD),
            json.dumps({"address": ADDRESS, "password": MAILBOX_PASSWORD})[:-1],
            MAILBOX_PASSWORD,
        ],
    )
    async def test_of_the_body(self, body: str, nothing_shows: Callable[[], None]) -> None:
        async with running(f"http://127.0.0.1:{unused_port()}/") as gateway:
            headers = {"Content-Type": "application/json"}
            for method, path, _ in CALLS[:2]:
                response = await gateway.request(method, path, content=body.encode(), headers=headers)
                assert response.status_code in {400, 422}
            await gateway.check()
        nothing_shows()

    @pytest.mark.parametrize(
        "headers",
        [
            {"Authorization": f"Bearer {WRONG_KEY}"},
            {"X-API-Key": WRONG_KEY},
            {"X-API-Key": WRONG_KEY, "Authorization": f"Bearer {API_KEY}"},
            {"Authorization": f"Basic {WRONG_KEY}"},
        ],
    )
    async def test_of_the_key(self, headers: dict[str, str], nothing_shows: Callable[[], None]) -> None:
        async with running(f"http://127.0.0.1:{unused_port()}/") as gateway:
            del gateway.client.headers["Authorization"]
            response = await gateway.request("POST", "/v1/mailboxes", json=BODY, headers=headers)
            assert response.status_code in {400, 401}
            await gateway.check()
        nothing_shows()


def chain(error: BaseException) -> list[BaseException]:
    """Return an error with everything it came from, shown in a traceback or not."""
    found: list[BaseException] = []
    waiting: list[BaseException | None] = [error]
    while waiting:
        each = waiting.pop()
        if each is not None and each not in found:
            found.append(each)
            waiting += [each.__cause__, each.__context__]
    return found


class TestObjects:
    @pytest.mark.parametrize("echo", [*ECHOES, "unreachable", "time_out"])
    async def test_an_error_and_all_that_led_to_it(self, echo: str) -> None:
        behaviour = silence if echo == "time_out" else Platform(ECHOES.get(echo))
        async with serving(behaviour) as base_url:
            url = base_url if echo != "unreachable" else f"http://127.0.0.1:{unused_port()}/"
            async with running(url, seconds=0.1 if behaviour is silence else 10) as gateway:
                with pytest.raises(GatewayError) as raised:
                    await self.add(gateway.app.state.services.gateway, gateway.tenant)
        for error in chain(raised.value):
            assert_clean("".join(traceback.format_exception(error)), "a traceback")
            assert_clean(repr(error) + str(error) + repr(error.args) + repr(vars(error)), repr(type(error)))

    @staticmethod
    async def add(gateway: Gateway, tenant: Tenant) -> None:
        caller = Caller(tenant, "canary", frozenset(Scope), RequestContext("1", TRACE))
        request = operations.MailboxWithPassword(ADDRESS, SecretStr(MAILBOX_PASSWORD))
        await gateway.call(operations.ADD, request, caller)

    def test_representations(self) -> None:
        made = tenant("http://127.0.0.1:9/")
        request = operations.MailboxWithPassword(ADDRESS, SecretStr(MAILBOX_PASSWORD), 7)
        parameters = operations.ADD.encode(request)
        wires = [
            address("bs.php", "mailbox-add", parameters, tenant("http://127.0.0.1:9/", auth).upstream)
            for auth in ("basic", "legacy")
        ]
        models = [NewMailbox.model_validate(BODY), NewPassword.model_validate({"password": MAILBOX_PASSWORD})]
        page = operations.FindMailboxes("news.example.com", PageRequest())
        for shown in (
            made,
            Caller(made, "canary", frozenset(), RequestContext("1", TRACE)),
            request,
            page,
            parameters,
        ):
            assert_clean(repr(shown) + str(shown), repr(type(shown)))
        for each in (*wires, *models):
            assert_clean(repr(each) + str(each), repr(type(each)))
        assert parameters.query["pwd"] == MAILBOX_PASSWORD
        assert all(quote(MAILBOX_PASSWORD, safe="") in wire.url for wire in wires)
        assert [model.model_dump_json() for model in models] == [
            '{"address":"editor@news.example.com","password":"**********"}',
            '{"password":"**********"}',
        ]


class TestLoggers:
    def test_libraries_that_write_urls_are_held_back(self, log: StringIO) -> None:
        for name in ("httpx2", "httpcore2", "httpcore2.http11", "httpcore2.connection"):
            logging.getLogger(name).debug("GET /bs.php?pwd=%s", MAILBOX_PASSWORD)
            logging.getLogger(name).info("GET /bs.php?pwd=%s", MAILBOX_PASSWORD)
        assert_clean(log.getvalue(), "the log")

    def test_a_canary_in_the_log_would_be_found(self, log: StringIO) -> None:
        logging.getLogger("app").debug("pwd=%s", MAILBOX_PASSWORD)
        with pytest.raises(AssertionError, match="the log shows"):
            assert_clean(log.getvalue(), "the log")
