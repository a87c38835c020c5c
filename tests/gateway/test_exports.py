"""Exports over real sockets: what breaks on the way is seen, and what nobody reads is not read."""

import asyncio
import gzip
import json
import zlib
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from typing import Any

import httpx2
import pytest
from structlog.testing import capture_logs

from tests.support.downloads import asking
from tests.support.platform import FakePlatform, xml_reply
from tests.support.problems import problem
from tests.support.running import client_of, make_app
from tests.support.servers import Behaviour, read_request, reset, serving
from tests.support.sockets import served
from tests.support.tenants import make_tenant

PATH = "/v1/delivery-failures?date=2026-03-02"
LINES = "/v1/lists/78/contacts/export"
OPENING = b"<fail_recipient_list>\n"
CLOSING = b"</fail_recipient_list>\n"
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nTransfer-Encoding: chunked\r\n\r\n"
FORMATS = ["application/json", "application/x-ndjson", "text/csv"]
NOT_A_RECORD = b"<recipient></other>"


def recipients(numbers: Iterable[int]) -> bytes:
    return b"".join(
        b"<recipient><email>user%d@example.com</email><type>2</type><task_id>7</task_id></recipient>\n" % number
        for number in numbers
    )


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


class Platform:
    """A raw server that writes an export step by step, as a test says."""

    def __init__(self) -> None:
        self.steps: asyncio.Queue[bytes | None] = asyncio.Queue()
        self.asked = asyncio.Event()
        self.left = asyncio.Event()

    def write(self, data: bytes) -> None:
        self.steps.put_nowait(chunk(data))

    def end(self) -> None:
        self.steps.put_nowait(chunk(b""))

    def cut(self) -> None:
        self.steps.put_nowait(None)

    async def behave(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        self.asked.set()
        writer.write(HEAD)
        leaving = asyncio.create_task(self._watch(reader))
        while (step := await self.steps.get()) is not None:
            writer.write(step)
            await writer.drain()
        leaving.cancel()
        reset(writer)

    async def _watch(self, reader: asyncio.StreamReader) -> None:
        with suppress(ConnectionError):
            await reader.read()
        self.left.set()


@asynccontextmanager
async def gateway(behaviour: Behaviour, **settings: Any) -> AsyncIterator[int]:
    async with serving(behaviour) as base, served(make_app([make_tenant(base_url=base)], **settings)) as port:
        yield port


def answered(logs: list[Any]) -> dict[str, Any]:
    """Return the access log's line of the one request, with its call to the platform."""
    (line,) = [dict(entry) for entry in logs if entry["event"] == "request"]
    (call,) = line["upstream"]
    return {"status": line["http.response.status_code"], "aborted": line["aborted"], "outcome": call["outcome"]}


class TestProgress:
    @pytest.mark.parametrize("accept", FORMATS)
    @pytest.mark.parametrize("coding", ["identity", "gzip"])
    async def test_first_records_leave_before_the_rest_has_come(self, accept: str, coding: str) -> None:
        platform = Platform()
        async with (
            gateway(platform.behave) as port,
            asking(port, PATH, f"Accept: {accept}", f"Accept-Encoding: {coding}") as answer,
        ):
            platform.write(OPENING + recipients(range(3)))
            assert "200 ok" in await answer.head()
            await answer.chunk()
            assert b"user2@" in _undone(answer.body, coding)
            platform.write(recipients(range(3, 6)))
            await answer.chunk()
            assert b"user5@" in _undone(answer.body, coding)
            platform.write(CLOSING)
            platform.end()
            assert await answer.is_whole()
        body = gzip.decompress(answer.body) if coding == "gzip" else answer.body
        assert [f"user{number}@example.com" in body.decode() for number in range(7)] == [True] * 6 + [False]

    async def test_what_ends_at_once_has_a_length(self) -> None:
        platform = Platform()
        platform.write(OPENING + recipients(range(3)) + CLOSING)
        platform.end()
        async with gateway(platform.behave) as port, asking(port, PATH) as answer:
            head = await answer.head()
            assert "content-length" in head
            assert "transfer-encoding" not in head

    async def test_the_connection_to_the_platform_is_used_again(self) -> None:
        connections = []

        async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            connections.append(writer)
            while True:
                await read_request(reader)
                writer.write(HEAD + chunk(OPENING + recipients(range(2000))) + chunk(CLOSING) + chunk(b""))
                await writer.drain()

        async with gateway(behave) as port:
            for _ in range(3):
                async with asking(port, PATH) as answer:
                    await answer.head()
                    assert await answer.is_whole()
                    assert len(json.loads(answer.body)["data"]) == 2000
        assert len(connections) == 1


FAULTS = {
    "cut": ("upstream_error", None),
    "not_well_formed": ("upstream_malformed", NOT_A_RECORD * 2 + CLOSING),
    "ends_early": ("upstream_malformed", b"<recipient>"),
    "too_long": ("upstream_malformed", b"<recipient><email>" + b"x" * 70_000),
}


class TestFaultsInTheMiddle:
    @pytest.mark.parametrize("fault", FAULTS)
    @pytest.mark.parametrize("accept", FORMATS)
    @pytest.mark.parametrize("coding", ["identity", "gzip"])
    async def test_cut_the_connection(self, fault: str, accept: str, coding: str) -> None:
        code, last = FAULTS[fault]
        platform = Platform()
        with capture_logs() as logs:
            async with (
                gateway(platform.behave) as port,
                asking(port, PATH, f"Accept: {accept}", f"Accept-Encoding: {coding}") as answer,
            ):
                platform.write(OPENING + recipients(range(3)))
                assert "200 ok" in await answer.head()
                await answer.chunk()
                if last is None:
                    platform.cut()
                else:
                    platform.write(last)
                    platform.end()
                assert not await answer.is_whole()
        body = _undone(answer.body, coding)
        assert b"user2@example.com" in body
        assert not body.endswith(b"]}")
        if coding == "gzip":
            with pytest.raises(EOFError):
                gzip.decompress(answer.body)
        assert answered(logs) == {"status": 200, "aborted": code, "outcome": code}
        assert [entry["code"] for entry in logs if entry["event"] == "response_aborted"] == [code]

    async def test_are_counted(self) -> None:
        platform = Platform()
        async with gateway(platform.behave) as port:
            async with asking(port, PATH) as answer:
                platform.write(OPENING + recipients(range(3)))
                await answer.head()
                platform.cut()
                assert not await answer.is_whole()
            async with asking(port, "/metrics", "Connection: close") as metrics:
                text = (await metrics.reader.read()).decode()
        assert 'umail_gateway_responses_aborted_total{code="upstream_error",route="/v1/delivery-failures"} 1.0' in text

    async def test_a_platform_that_falls_silent(self) -> None:
        platform = Platform()
        with capture_logs() as logs:
            async with gateway(platform.behave, export_idle_timeout=0.1) as port, asking(port, PATH) as answer:
                platform.write(OPENING + recipients(range(3)))
                await answer.head()
                assert not await answer.is_whole()
        assert answered(logs) == {"status": 200, "aborted": "upstream_timeout", "outcome": "upstream_timeout"}

    async def test_the_total_time_ends_a_drip(self) -> None:
        platform = Platform()
        with capture_logs() as logs:
            async with gateway(platform.behave, export_timeout=0.3) as port, asking(port, PATH) as answer:
                platform.write(OPENING + recipients(range(3)))
                await answer.head()
                reading = asyncio.create_task(answer.is_whole())
                while not reading.done():
                    platform.write(b"\n")
                    await asyncio.sleep(0.02)
                assert not await reading
        assert answered(logs)["aborted"] == "upstream_timeout"


class TestFaultsBeforeTheFirstRecord:
    @pytest.mark.parametrize("accept", FORMATS)
    @pytest.mark.parametrize(
        ("reply", "status", "code"),
        [
            ("<result><status>no_permission</status><data>没有权限</data></result>", 422, "upstream_rejected"),
            ("<result><status>not_exist</status></result>", 404, "not_found"),
            ("<html><body>系统维护中</body></html>", 502, "upstream_malformed"),
            ("", 502, "upstream_malformed"),
            ("<fail_recipient_list><recipient>", 502, "upstream_malformed"),
            ("<other/>", 502, "upstream_malformed"),
        ],
    )
    async def test_are_problems_in_every_form(self, accept: str, reply: str, status: int, code: str) -> None:
        app = make_app([make_tenant()], FakePlatform([xml_reply(reply)]).transport)
        async with client_of(app) as client:
            headers = {"Accept": f"{accept}, application/problem+json", "Accept-Encoding": "gzip"}
            response = await client.get(PATH, headers=headers)
        problem(response, status, code)
        assert "content-encoding" not in response.headers

    async def test_of_the_transport(self) -> None:
        async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await read_request(reader)
            reset(writer)

        async with serving(behave) as base, client_of(make_app([make_tenant(base_url=base)])) as client:
            problem(await client.get(PATH), 502, "upstream_error")

    async def test_a_whole_reply_is_checked_before_it_is_answered(self) -> None:
        reply = OPENING.decode() + recipients(range(3)).decode() + "</other>"
        app = make_app([make_tenant()], FakePlatform([xml_reply(reply)]).transport)
        async with client_of(app) as client:
            problem(await client.get(PATH), 502, "upstream_malformed")


class TestClientsThatLeave:
    @pytest.mark.parametrize("begun", [False, True], ids=["before the first record", "in the middle"])
    async def test_end_the_upstream_call(self, begun: bool) -> None:
        platform = Platform()
        with capture_logs() as logs:
            async with gateway(platform.behave) as port:
                async with asking(port, PATH) as answer:
                    await platform.asked.wait()
                    if begun:
                        platform.write(OPENING + recipients(range(3)))
                        await answer.head()
                await asyncio.wait_for(platform.left.wait(), 1)
        expected = {"status": 200 if begun else 0, "aborted": "client_disconnected", "outcome": "aborted"}
        assert answered(logs) == expected

    async def test_while_much_is_on_its_way(self) -> None:
        source = Endless()
        async with gateway(source.behave) as port:
            async with asking(port, PATH) as answer:
                await answer.head()
                await answer.chunk()
            await asyncio.wait_for(source.left.wait(), 1)


class Endless:
    """A raw server that writes records for as long as anybody takes them."""

    def __init__(self) -> None:
        self.written = 0
        self.left = asyncio.Event()

    async def behave(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(HEAD + chunk(OPENING))
        part = recipients(range(1000))
        try:
            while True:
                writer.write(chunk(part))
                await writer.drain()
                self.written += len(part)
        except ConnectionError:
            pass
        finally:
            self.left.set()


class TestClientsThatStopReading:
    @pytest.mark.parametrize("accept", FORMATS)
    async def test_stop_the_upstream_read(self, accept: str) -> None:
        source = Endless()
        async with (
            gateway(source.behave, export_idle_timeout=0.2) as port,
            asking(port, PATH, f"Accept: {accept}", receive_buffer=65_536) as answer,
        ):
            await answer.head()
            before = await _standstill(source)
            while source.written == before:
                assert await answer.chunk()
        # What fits into the buffers of four sockets, as records of the platform.
        assert before < 40_000_000

    async def test_are_not_waited_for_longer_than_an_export_may_take(self) -> None:
        source = Endless()
        with capture_logs() as logs:
            async with (
                gateway(source.behave, export_timeout=2) as port,
                asking(port, PATH, receive_buffer=65_536) as answer,
            ):
                await answer.head()
                await asyncio.wait_for(source.left.wait(), 10)
        assert answered(logs)["aborted"] == "client_too_slow"


async def _standstill(source: Endless) -> int:
    """Wait until nothing is written for longer than the platform may be silent; that it cannot write is not its fault.

    The kernel moves its last buffers only now and then.
    """
    written = -1
    while written != source.written:
        written = source.written
        await asyncio.sleep(0.7)
    return written


class TestCompressionOfThePlatform:
    async def test_is_undone_in_portions(self) -> None:
        body = gzip.compress(OPENING + recipients(range(50_000)) + CLOSING)
        response = httpx2.Response(200, stream=httpx2.ByteStream(body), headers={"Content-Encoding": "gzip"})
        app = make_app([make_tenant()], FakePlatform([response]).transport)
        async with client_of(app) as client:
            assert len((await client.get(PATH)).json()["data"]) == 50_000

    @pytest.mark.parametrize("cut", [lambda body: body[:-10], lambda body: b"nope" + body])
    async def test_that_is_broken_is_a_fault(self, cut: Any) -> None:
        body = cut(gzip.compress(OPENING + recipients(range(3)) + CLOSING))
        response = httpx2.Response(200, stream=httpx2.ByteStream(body), headers={"Content-Encoding": "gzip"})
        app = make_app([make_tenant()], FakePlatform([response]).transport)
        async with client_of(app) as client:
            problem(await client.get(PATH), 502, "upstream_error")

    async def test_of_another_kind_is_a_fault(self) -> None:
        response = httpx2.Response(200, stream=httpx2.ByteStream(b"x"), headers={"Content-Encoding": "zstd"})
        app = make_app([make_tenant()], FakePlatform([response]).transport)
        async with client_of(app) as client:
            problem(await client.get(PATH), 502, "upstream_error")


def _undone(body: bytes, coding: str) -> bytes:
    """Undo the compression of a body that may have been cut."""
    return zlib.decompressobj(31).decompress(body) if coding == "gzip" else body
