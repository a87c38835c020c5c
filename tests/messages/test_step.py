"""Relays that are out of step, that offer little, and that offer much."""

import asyncio
from collections.abc import Callable

import pytest

from app.errors import UpstreamCredentialsRejected, UpstreamRejected, UpstreamUnavailable
from tests.messages.conftest import make_submitter
from tests.support.relays import port_of, scripted
from tests.support.servers import serving
from tests.support.submissions import make_caller, make_message

PIPELINING = b"250-relay.example\r\n250 PIPELINING"


async def submitted(seen: list[str], times: int = 1, *, login: bool = False, **stages: bytes) -> None:
    submitter = make_submitter()
    async with serving(scripted(seen, **stages)) as url:
        try:
            for _ in range(times):
                await submitter.submit(make_message(), make_caller(port_of(url), login=login))
        finally:
            await submitter.aclose()


@pytest.mark.parametrize("offer", [b"250 relay.example", PIPELINING], ids=["plain", "pipelining"])
@pytest.mark.parametrize("surplus", ["250 2.0.0 Thank you", "554 5.7.1 Not you", "hello"])
async def test_a_reply_too_many_costs_the_connection_and_nothing_else(offer: bytes, surplus: str) -> None:
    seen: list[str] = []
    await submitted(seen, 3, EHLO=offer, content=f"250 OK\r\n{surplus}".encode())
    assert seen.count("content") == 3
    assert seen.count("EHLO") == 3


@pytest.mark.parametrize("offer", [b"250 relay.example", PIPELINING], ids=["plain", "pipelining"])
async def test_replies_that_belong_to_other_commands_are_no_refusal(offer: bytes) -> None:
    seen: list[str] = []
    with pytest.raises(UpstreamUnavailable, match="do not belong"):
        await submitted(seen, EHLO=offer, DATA=b"250 OK")
    assert "content" not in seen


async def test_a_refused_sender_leaves_a_pipelined_session_usable() -> None:
    seen: list[str] = []
    submitter = make_submitter()
    async with serving(scripted(seen, EHLO=PIPELINING, MAIL=b"550 5.7.1 No")) as url:
        for _ in range(2):
            with pytest.raises(UpstreamRejected):
                await submitter.submit(make_message(), make_caller(port_of(url)))
        await submitter.aclose()
    assert seen.count("EHLO") == 1


async def test_what_is_pipelined_travels_together() -> None:
    seen: list[str] = []
    await submitted(seen, 2, EHLO=PIPELINING)
    assert seen.count("EHLO") == 1
    assert "RSET" not in seen
    assert seen.count("content") == 2


async def test_a_relay_without_extensions_is_tried_as_the_manual_does() -> None:
    seen: list[str] = []
    stages = {"EHLO": b"502 5.5.2 What?", "AUTH": b"235 2.7.0 OK"}
    await submitted(seen, login=True, EHLO=stages["EHLO"], AUTH=stages["AUTH"])
    assert seen[:3] == ["EHLO", "HELO", "AUTH"]
    assert "content" in seen


async def test_a_login_that_is_not_announced_may_be_refused() -> None:
    with pytest.raises(UpstreamCredentialsRejected, match="neither PLAIN nor LOGIN"):
        await submitted([], login=True, EHLO=b"250 relay.example", AUTH=b"502 5.5.1 What?")


async def test_texts_in_gbk_are_read() -> None:
    with pytest.raises(UpstreamRejected) as caught:
        await submitted([], RCPT="550 用户不存在".encode("gbk"))
    assert "用户不存在" in caught.value.detail


async def test_a_relay_that_left_is_replaced() -> None:
    seen: list[str] = []
    left: list[Callable[[], None]] = []
    submitter = make_submitter()

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        left.append(writer.close)
        await scripted(seen, EHLO=PIPELINING)(reader, writer)

    async with serving(relay) as url:
        await submitter.submit(make_message(), make_caller(port_of(url)))
        left[0]()
        await asyncio.sleep(0.05)
        await submitter.submit(make_message(), make_caller(port_of(url)))
        await submitter.aclose()
    assert seen.count("content") == 2
