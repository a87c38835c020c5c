"""Attacks on a gateway from outside and from its platform, measured; `python -m tests.resilience.attacks`."""

import asyncio
import base64
import gzip
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from itertools import repeat
from pathlib import Path

import httpx2

from tests.support.gateways import GatewayProcess, key_of, running_gateway, tenants_file

ATTACKER, NEIGHBOUR = "attacker", "neighbour"
LISTS = b"<maillist><item><id>1</id><subject>a</subject></item></maillist>"
_PROBE_EVERY = 0.05

Answer = tuple[int, str]


class HostilePlatform:
    """A platform that answers one login as told, and all others well."""

    def __init__(self) -> None:
        self.reply: bytes | None = None
        self.url = ""

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with await asyncio.start_server(self._serve, "127.0.0.1", 0) as server:
            self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/mm-ms/apinew/"
            yield

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        login = base64.b64encode(f"{ATTACKER}:password".encode())
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while head := await reader.readuntil(b"\r\n\r\n"):
                reply = self.reply if self.reply and login in head else _reply(LISTS)
                writer.write(reply)
                await writer.drain()
        writer.close()


def _reply(body: bytes, *headers: str) -> bytes:
    lines = ("HTTP/1.1 200 OK", "Content-Type: text/xml", f"Content-Length: {len(body)}", *headers, "", "")
    return "\r\n".join(lines).encode() + body


@dataclass(frozen=True, slots=True)
class Attack:
    """What is sent, without or with a key, or what the platform replies; and the answers that are right."""

    name: str
    answers: frozenset[Answer]
    request: Callable[[], Iterable[bytes]] | None = None
    reply: Callable[[], bytes] | None = None


def _request(*lines: str) -> bytes:
    return "\r\n".join([*lines, "Host: x", "", ""]).encode()


def _trailers() -> Iterable[bytes]:
    yield _request("POST /v1/lists HTTP/1.1", "Transfer-Encoding: chunked") + b"0\r\n"
    yield from repeat(b"A: b\r\n" * 10_000, 400)


def _fields() -> Iterable[bytes]:
    body = b"{" + b",".join(b'"%d":1' % number for number in range(900_000)) + b"}"
    key = f"X-API-Key: {key_of(ATTACKER)}"
    yield _request("POST /v1/lists HTTP/1.1", key, "Content-Type: application/json", f"Content-Length: {len(body)}")
    yield from (body[start : start + 65_536] for start in range(0, len(body), 65_536))


def _prefer() -> Iterable[bytes]:
    yield _request("GET /v1/lists HTTP/1.1", f"X-API-Key: {key_of(ATTACKER)}", 'Prefer: a"' + ',a\\"' * 3_500)


def _operators() -> Iterable[bytes]:
    yield _request("POST /admin/v1/tenants HTTP/1.1", "Content-Type: application/json", "Content-Length: 10000000")
    yield from repeat(b"[" * 10_000, 1_000)


def _bomb() -> bytes:
    body = gzip.compress(b"<maillist>" + b"<a>" * 5_000_000)
    return _reply(body, "Content-Encoding: gzip")


MALFORMED = frozenset({(502, "upstream_malformed")})
UNKNOWN_PATH = frozenset({(404, "not_found"), (401, "unauthenticated")})
ATTACKS = (
    Attack(
        "chunked trailers", frozenset({(401, "unauthenticated"), (431, "headers_too_large"), (0, "closed")}), _trailers
    ),
    Attack("a million fields", frozenset({(400, "malformed_request")}), _fields),
    Attack("Prefer", frozenset({(200, "")}), _prefer),
    Attack("bodies for operators", UNKNOWN_PATH, _operators),
    Attack("gzip bomb", MALFORMED, reply=_bomb),
    Attack("endless start tag", MALFORMED, reply=lambda: _reply(b"<maillist><item " + b"a" * 15_000_000)),
    Attack(
        "unique names",
        MALFORMED,
        reply=lambda: _reply(
            b"<maillist><item>" + b"".join(b"<a%d/>" % each for each in range(1_000_000)) + b"</item></maillist>"
        ),
    ),
    Attack("ampersands", MALFORMED, reply=lambda: _reply(b"<maillist><item>" + b"&" * 15_000_000)),
    Attack("comments", MALFORMED, reply=lambda: _reply(b"<maillist>" + b"<!--" + b"-" * 14_000_000)),
)


@dataclass(slots=True)
class Measured:
    """What an attack came to; sizes are MiB above rest, delays seconds."""

    name: str
    answer: Answer
    is_right: bool
    memory: float = 0.0
    delays: list[float] = field(default_factory=list)

    def line(self) -> str:
        worst = max(self.delays, default=0.0) * 1000
        told = f"{self.answer[0]} {self.answer[1]}"
        return f"{self.name:22} {told:24} {self.memory:6.0f} MiB  neighbour at most {worst:5.0f} ms"


class Siege:
    """Attacks one gateway again and again."""

    def __init__(self, gateway: GatewayProcess, platform: HostilePlatform, client: httpx2.AsyncClient) -> None:
        self._gateway = gateway
        self._platform = platform
        self._client = client

    async def attacks(self) -> list[Measured]:
        await self._neighbour()
        rest = _peak(self._gateway.pid)
        return [await self._attack(each, rest) for each in ATTACKS]

    async def _attack(self, attack: Attack, rest: float) -> Measured:
        self._platform.reply = attack.reply() if attack.reply else None
        # Made beforehand, so that the neighbour does not wait for it.
        parts = list(attack.request()) if attack.request else None
        Path(f"/proc/{self._gateway.pid}/clear_refs").write_text("5")
        delays: list[float] = []
        probing = asyncio.create_task(self._probe(delays))
        try:
            answer = await (self._send(parts) if parts else self._read())
        finally:
            probing.cancel()
            with suppress(asyncio.CancelledError):
                await probing
        memory = _peak(self._gateway.pid) - rest
        return Measured(attack.name, answer, answer in attack.answers, memory, delays)

    async def _probe(self, delays: list[float]) -> None:
        while True:
            began = time.perf_counter()
            await self._neighbour()
            delays.append(time.perf_counter() - began)
            await asyncio.sleep(_PROBE_EVERY)

    async def _neighbour(self) -> None:
        headers = {"X-API-Key": key_of(NEIGHBOUR), "Cache-Control": "no-cache"}
        response = await self._client.get("/v1/lists", headers=headers)
        assert response.status_code == 200, response.text

    async def _read(self) -> Answer:
        headers = {"X-API-Key": key_of(ATTACKER), "Cache-Control": "no-cache"}
        response = await self._client.get("/v1/lists", headers=headers)
        return response.status_code, response.json().get("code", "")

    async def _send(self, parts: Iterable[bytes]) -> Answer:
        port = int(self._gateway.url.rpartition(":")[2])
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        answered = asyncio.create_task(reader.readuntil(b"\r\n\r\n"))
        try:
            for part in parts:
                if answered.done():
                    break
                writer.write(part)
                await writer.drain()
            head = await answered
            length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
            body = httpx2.Response(200, content=await reader.readexactly(int(length.split()[1])))
            return int(head.split()[1]), body.json().get("code", "")
        except (ConnectionError, asyncio.IncompleteReadError):
            # Closed before everything was read, and with it what was answered.
            return 0, "closed"
        finally:
            answered.cancel()
            writer.close()


def _peak(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return next(int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmHWM"))


async def besieged(folder: Path) -> list[Measured]:
    """Run a gateway in an empty folder, and attack it in every way."""
    platform = HostilePlatform()
    async with platform.running():
        settings = {
            "TENANTS_URL": tenants_file(folder, platform.url, [(name, "password") for name in (ATTACKER, NEIGHBOUR)]),
            "DATABASE_URL": f"sqlite:///{folder / 'gateway.db'}",
            "LOG_LEVEL": "ERROR",
            "RETRY_ATTEMPTS": 1,
        }
        async with (
            running_gateway(folder, settings) as gateway,
            httpx2.AsyncClient(base_url=gateway.url, timeout=60) as client,
        ):
            return await Siege(gateway, platform, client).attacks()


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="attacks-") as folder:
        measured = asyncio.run(besieged(Path(folder)))
    print(*(each.line() for each in measured), sep="\n")
    if wrong := [each.name for each in measured if not each.is_right]:
        raise SystemExit(f"not as they should be: {', '.join(wrong)}")


if __name__ == "__main__":
    main()
