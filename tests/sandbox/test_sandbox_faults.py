"""Misbehaviour on the wire, seen from raw sockets where a client library would hide it."""

import asyncio
import base64
import xml.etree.ElementTree as ET
from collections.abc import Awaitable, Callable
from typing import Any

import httpx2
import pytest

from app.sandbox import Account, Fault, Sandbox
from app.sandbox.faults import WIRE_KINDS, FaultError
from app.sandbox.misbehaviour import BEHAVIOURS

Ask = Callable[..., Awaitable[dict[str, Any]]]
Fetch = Callable[..., Awaitable[httpx2.Response]]

ADD = "/mm-ms/apinew/mloperate.php?do=maillist-add"
FORM = b"subject=new&status=enabled"
LATENT = 0.02


class Wire:
    """One raw connection that has sent one request."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def rest(self) -> bytes:
        """Everything until the connection ends; a reset raises ``ConnectionResetError``."""
        async with asyncio.timeout(5):
            return await self.reader.read()

    async def close(self) -> None:
        self.writer.close()
        await asyncio.gather(self.writer.wait_closed(), return_exceptions=True)


async def _send(sandbox: Sandbox, path: str = ADD, body: bytes = FORM, *headers: str) -> Wire:
    reader, writer = await asyncio.open_connection("127.0.0.1", int(sandbox.origin.rpartition(":")[2]))
    lines = [
        f"POST {path} HTTP/1.1",
        "Host: sandbox",
        f"Authorization: Basic {base64.b64encode(b'acme:secret').decode()}",
        "Content-Type: application/x-www-form-urlencoded",
        f"Content-Length: {len(body)}",
        *headers,
    ]
    writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
    await writer.drain()
    return Wire(reader, writer)


async def _arrival(sandbox: Sandbox) -> None:
    """Give the loop turns until the sandbox has read a request."""
    for _ in range(10_000):
        if sandbox.calls:
            return
        await asyncio.sleep(0)
    raise AssertionError("no request arrived")


def _was_processed(sandbox: Sandbox) -> bool:
    processed = len(sandbox.state("acme").lists) == 1
    assert sandbox.calls[-1].processed is processed
    return processed


def test_every_kind_has_a_behaviour() -> None:
    assert set(BEHAVIOURS) == set(WIRE_KINDS)


class TestEndings:
    @pytest.mark.parametrize(("kind", "processed"), [("reset_before", False), ("reset_after", True)])
    async def test_reset(self, sandbox: Sandbox, kind: str, processed: bool) -> None:
        sandbox.misbehave(Fault(kind))
        wire = await _send(sandbox)
        with pytest.raises(ConnectionResetError):
            await wire.rest()
        await wire.close()
        assert _was_processed(sandbox) is processed
        assert sandbox.calls[-1].fault == kind

    async def test_clean_close(self, sandbox: Sandbox) -> None:
        sandbox.misbehave(Fault("close_after"))
        wire = await _send(sandbox)
        assert await wire.rest() == b""
        await wire.close()
        assert _was_processed(sandbox)

    @pytest.mark.parametrize(("kind", "processed"), [("hang_before", False), ("hang_after", True)])
    async def test_hang_for_a_while(self, sandbox: Sandbox, kind: str, processed: bool) -> None:
        sandbox.misbehave(Fault(kind, delay=LATENT))
        wire = await _send(sandbox)
        assert await wire.rest() == b""
        await wire.close()
        assert _was_processed(sandbox) is processed

    async def test_endless_hang_ends_with_the_sandbox(self) -> None:
        sandbox = Sandbox([Account("acme", "secret")])
        await sandbox.start()
        sandbox.misbehave(Fault("hang_after"))
        wire = await _send(sandbox)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(LATENT):
                await wire.reader.read(1)
        async with asyncio.timeout(0.9):
            await sandbox.stop()
        assert await wire.rest() == b""
        await wire.close()
        assert _was_processed(sandbox)

    @pytest.mark.parametrize(("kind", "delay"), [("huge", 0.0), ("latency", 60.0), ("drip", 60.0)])
    async def test_other_long_answers_end_with_the_sandbox_too(self, kind: str, delay: float) -> None:
        sandbox = Sandbox([Account("acme", "secret")])
        await sandbox.start()
        sandbox.misbehave(Fault(kind, delay=delay))
        wire = await _send(sandbox)
        rest = asyncio.create_task(wire.rest())
        await _arrival(sandbox)
        async with asyncio.timeout(3):
            await sandbox.stop()
            await asyncio.wait([rest])
        await wire.close()

    async def test_truncate(self, sandbox: Sandbox) -> None:
        sandbox.misbehave(Fault("truncate"))
        wire = await _send(sandbox)
        head, _, body = (await wire.rest()).partition(b"\r\n\r\n")
        await wire.close()
        (length,) = [line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")]
        assert int(length.partition(b":")[2]) == len(body) + 512
        assert body.rstrip().endswith(b"</result>")
        assert _was_processed(sandbox)

    async def test_drip_comes_byte_by_byte(self, sandbox: Sandbox) -> None:
        sandbox.misbehave(Fault("drip", delay=0.0005))
        wire = await _send(sandbox)
        pieces = 0
        async with asyncio.timeout(10):
            await wire.reader.readuntil(b"\r\n\r\n")
            while not (await wire.reader.read(1024)).endswith(b">"):
                pieces += 1
        await wire.close()
        assert pieces > 20
        assert _was_processed(sandbox)

    async def test_drip_is_complete(self, sandbox: Sandbox, fetch: Fetch) -> None:
        whole = (await fetch("customer-info")).content
        sandbox.misbehave(Fault("drip"))
        assert (await fetch("customer-info")).content == whole

    async def test_drip_ends_when_the_client_leaves(self, sandbox: Sandbox) -> None:
        sandbox.misbehave(Fault("drip", delay=LATENT))
        wire = await _send(sandbox)
        await wire.reader.readuntil(b"\r\n\r\n")
        await wire.close()
        assert _was_processed(sandbox)

    async def test_huge_does_not_end(self, sandbox: Sandbox) -> None:
        sandbox.misbehave(Fault("huge"))
        wire = await _send(sandbox)
        async with asyncio.timeout(10):
            data = await wire.reader.readexactly(20_000_000)
        wire.writer.transport.abort()
        await wire.close()
        assert data.count(b"<addr>") > 4000
        assert b"</data>" not in data
        assert not _was_processed(sandbox)


class TestReplies:
    async def test_latency(self, sandbox: Sandbox, ask: Ask) -> None:
        loop = asyncio.get_running_loop()
        sandbox.misbehave(Fault("latency", delay=LATENT))
        begin = loop.time()
        assert await ask("maillist-list") == {}
        assert loop.time() - begin >= LATENT * 0.9

    async def test_status_with_retry_after(self, sandbox: Sandbox, fetch: Fetch) -> None:
        sandbox.misbehave(Fault("status", status=429, retry_after=7))
        response = await fetch("maillist-add", form={"subject": "x", "status": "enabled"})
        assert (response.status_code, response.headers["retry-after"]) == (429, "7")
        assert not _was_processed(sandbox)
        sandbox.misbehave(Fault("status"))
        response = await fetch("maillist-list")
        assert (response.status_code, "retry-after" in response.headers) == (503, False)

    @pytest.mark.parametrize(("kind", "status"), [("html_200", 200), ("html_500", 500)])
    async def test_html(self, sandbox: Sandbox, fetch: Fetch, kind: str, status: int) -> None:
        sandbox.misbehave(Fault(kind))
        response = await fetch("maillist-list")
        assert (response.status_code, "<html>" in response.text) == (status, True)

    async def test_cut_xml(self, sandbox: Sandbox, fetch_demo: Fetch) -> None:
        whole = (await fetch_demo("maillist-list")).content
        sandbox.misbehave(Fault("cut_xml"))
        response = await fetch_demo("maillist-list")
        assert 0 < len(response.content) < len(whole)
        assert whole.startswith(response.content)
        assert int(response.headers["content-length"]) == len(response.content)

    async def test_gbk(self, sandbox: Sandbox, fetch_demo: Fetch) -> None:
        whole = (await fetch_demo("customer-info")).text
        sandbox.misbehave(Fault("gbk"))
        response = await fetch_demo("customer-info")
        assert response.headers["content-type"] == "text/html"
        assert response.content.decode("gbk") == whole.replace("UTF-8", "GBK")

    async def test_bom(self, sandbox: Sandbox, fetch_demo: Fetch) -> None:
        whole = (await fetch_demo("customer-info")).content
        sandbox.misbehave(Fault("bom"))
        assert (await fetch_demo("customer-info")).content == b"\xef\xbb\xbf\r\n\r\n" + whole

    async def test_garbage_is_no_text(self, sandbox: Sandbox, fetch: Fetch) -> None:
        sandbox.misbehave(Fault("garbage"))
        content = (await fetch("maillist-list")).content
        with pytest.raises(UnicodeDecodeError):
            content.decode()

    async def test_entity_bomb(self, sandbox: Sandbox, fetch: Fetch) -> None:
        sandbox.misbehave(Fault("entity_bomb"))
        text = (await fetch("maillist-list")).text
        assert text.count("<!ENTITY") == 9
        assert "&h;&h;" in text
        assert len(text) < 1000

    async def test_unknown_elements_keep_the_values(self, sandbox: Sandbox, fetch_demo: Fetch) -> None:
        plain = ET.fromstring((await fetch_demo("task-list")).text)
        sandbox.misbehave(Fault("unknown_elements"))
        strange = ET.fromstring((await fetch_demo("task-list")).text)
        assert len(list(strange.iter("new_in_v20"))) > 10
        assert [task.findtext("id") for task in strange.iter("task")] == [
            task.findtext("id") for task in plain.iter("task")
        ]
        leaves = {element.tag for element in plain.iter() if not len(element) and element.text}
        assert not [tag for tag in leaves if strange.find(f".//{tag}/new_in_v20") is not None]

    async def test_wrong_credentials(self, sandbox: Sandbox, web: httpx2.AsyncClient, fetch: Fetch) -> None:
        sandbox.misbehave(Fault("wrong_credentials", times=2))
        assert (await fetch("maillist-list")).status_code == 401
        response = await web.get("/mm-ms/api/account.php", params={"do": "customer-info"})
        assert "auth_error" in response.text
        assert sandbox.calls[-1].fault == "wrong_credentials"


class TestQueue:
    async def test_operation_and_times(self, sandbox: Sandbox, fetch: Fetch) -> None:
        sandbox.misbehave(Fault("status", operation="task-list", times=2))
        codes = [
            (await fetch(operation)).status_code
            for operation in ("maillist-list", "task-list", "maillist-list", "task-list", "task-list")
        ]
        assert codes == [200, 503, 200, 503, 200]

    async def test_until_cleared(self, sandbox: Sandbox, fetch: Fetch) -> None:
        sandbox.misbehave(Fault("status", times=None))
        assert {(await fetch("maillist-list")).status_code for _ in range(3)} == {503}
        sandbox.clear_faults()
        assert (await fetch("maillist-list")).status_code == 200

    async def test_every(self, sandbox: Sandbox, fetch: Fetch) -> None:
        sandbox.misbehave(Fault("status", every=3, times=2))
        assert [(await fetch("maillist-list")).status_code for _ in range(8)] == [503, 200, 200, 503, *[200] * 4]

    async def test_flapping(self, sandbox: Sandbox, fetch: Fetch) -> None:
        sandbox.misbehave(Fault("flapping", status=500))
        assert [(await fetch("maillist-list")).status_code for _ in range(5)] == [500, 200, 500, 200, 500]

    async def test_oldest_matching_first(self, sandbox: Sandbox, fetch: Fetch) -> None:
        sandbox.misbehave(Fault("status", status=500, operation="task-list"))
        sandbox.misbehave(Fault("status", status=501))
        sandbox.misbehave(Fault("status", status=502))
        assert [(await fetch("maillist-list")).status_code for _ in range(3)] == [501, 502, 200]
        assert (await fetch("task-list")).status_code == 500

    async def test_scripts_without_do_and_the_login_have_names(self, sandbox: Sandbox, web: httpx2.AsyncClient) -> None:
        for operation in ("statistic", "login"):
            sandbox.misbehave(Fault("status", operation=operation))
        assert (await web.get("/mm-ms/apinew/statistic.php", auth=("acme", "secret"))).status_code == 503
        assert (await web.post("/sendstat/?module=base&action=login")).status_code == 503

    @pytest.mark.parametrize(
        ("values", "word"),
        [
            ({"kind": "explode"}, "explode"),
            ({"kind": "status", "status": 99}, "status"),
            ({"kind": "status", "times": 0}, "times"),
            ({"kind": "latency", "delay": -1}, "delay"),
            ({"kind": "status", "every": 0}, "every"),
            ({"kind": "status", "retry_after": -1}, "retry_after"),
        ],
    )
    def test_impossible_faults(self, values: dict[str, Any], word: str) -> None:
        with pytest.raises(FaultError, match=word):
            Fault(**values)

    def test_unknown_operation(self) -> None:
        with pytest.raises(FaultError, match="no-such"):
            Sandbox([]).misbehave(Fault("status", operation="no-such"))


class TestHeader:
    async def test_one_call(self, fetch: Fetch) -> None:
        headers = {"X-Sandbox-Fault": "status; status=418; retry_after=3; delay=0.001"}
        response = await fetch("maillist-list", headers=headers)
        assert (response.status_code, response.headers["retry-after"]) == (418, "3")
        assert (await fetch("maillist-list")).status_code == 200

    async def test_it_leaves_the_queue_alone(self, sandbox: Sandbox, fetch: Fetch) -> None:
        sandbox.misbehave(Fault("html_500"))
        assert "系统维护" in (await fetch("maillist-list", headers={"X-Sandbox-Fault": "html_200"})).text
        assert (await fetch("maillist-list")).status_code == 500

    @pytest.mark.parametrize("text", ["explode", "status; status=x", "status; colour=1", ""])
    async def test_nonsense(self, sandbox: Sandbox, fetch: Fetch, text: str) -> None:
        response = await fetch("maillist-list", headers={"X-Sandbox-Fault": text})
        assert response.status_code == 422
        assert response.json()["problems"]
        assert not sandbox.calls[-1].processed
