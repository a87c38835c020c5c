"""Relays that break: what the caller is told depends on whether the message had begun to leave."""

import asyncio
from typing import Any

import pytest

from app.errors import (
    GatewayError,
    OutcomeUnknown,
    UpstreamCredentialsRejected,
    UpstreamFailure,
    UpstreamMalformed,
    UpstreamRejected,
    UpstreamUnavailable,
)
from app.messages.models import SmtpTimeouts
from app.messages.submitter import Submitter
from tests.messages.conftest import WAITS, make_submitter
from tests.support.relays import DROP, HANG, Relay, port_of, scripted
from tests.support.servers import serving
from tests.support.submissions import make_caller, make_message

IMPATIENT = SmtpTimeouts(connect=0.1, reply=0.1, total=5)
LONG_REPLY = b"554 5.7.1 " + b"x" * 2000


async def failure(
    seen: list[str], stages: dict[str, bytes], *, waits: SmtpTimeouts | None = None, **caller: Any
) -> UpstreamFailure:
    """Submit a message to a relay that fails as told and return the error it ends in."""
    waits = waits or (IMPATIENT if HANG in stages.values() else WAITS)
    submitter = make_submitter(waits)
    async with serving(scripted(seen, **stages)) as url:
        with pytest.raises(GatewayError) as caught:
            await submitter.submit(make_message(text="x" * 500), make_caller(port_of(url), **caller))
        await submitter.aclose()
    assert isinstance(caught.value, UpstreamFailure)
    return caught.value


class TestBeforeTheMessage:
    @pytest.mark.parametrize("stage", ["greeting", "EHLO", "MAIL", "RCPT", "DATA"])
    @pytest.mark.parametrize("fault", [HANG, DROP, b"421 4.3.2 Closing"])
    async def test_nothing_was_sent(self, stage: str, fault: bytes) -> None:
        seen: list[str] = []
        error = await failure(seen, {stage: fault})
        assert isinstance(error, UpstreamUnavailable), error
        assert "Nothing was sent; trying again is safe." in error.detail
        assert error.headers["Retry-After"] == "5"
        assert "content" not in seen

    async def test_refusing_to_greet(self) -> None:
        error = await failure([], {"greeting": b"554 5.3.2 No service for you"})
        assert isinstance(error, UpstreamUnavailable)
        assert error.upstream is not None
        assert (error.upstream.status, error.upstream.message) == ("554", "5.3.2 No service for you")

    async def test_refusing_starttls(self) -> None:
        seen: list[str] = []
        stages = {"EHLO": b"250-relay.example\r\n250 STARTTLS", "STARTTLS": b"454 4.7.0 TLS not available"}
        error = await failure(seen, stages, login=True, security="starttls")
        assert isinstance(error, UpstreamUnavailable)
        assert seen == ["EHLO", "STARTTLS"]

    @pytest.mark.parametrize("stage", ["greeting", "EHLO", "MAIL", "RCPT", "DATA"])
    async def test_something_else_than_smtp(self, stage: str) -> None:
        seen: list[str] = []
        error = await failure(seen, {stage: b"HTTP/1.1 400 Bad Request"})
        assert isinstance(error, UpstreamMalformed), error
        assert "content" not in seen

    async def test_the_deadline_ends_what_every_reply_delays(self) -> None:
        seen: list[str] = []
        error = await failure(seen, {"RCPT": HANG}, waits=SmtpTimeouts(connect=9, reply=9, total=0.2))
        assert isinstance(error, UpstreamUnavailable)
        assert "time ran out" in error.detail

    async def test_relay_that_knows_only_helo(self) -> None:
        seen: list[str] = []
        submitter = make_submitter()
        async with serving(scripted(seen, EHLO=b"502 5.5.1 What?")) as url:
            await submitter.submit(make_message(), make_caller(port_of(url)))
            await submitter.aclose()
        assert seen == ["EHLO", "HELO", "MAIL", "RCPT", "DATA", "content", "QUIT"]

    async def test_break_right_after_the_go_ahead(self) -> None:
        seen: list[str] = []
        error = await failure(seen, {"ready": DROP})
        # Which of the two it is depends on whether the break was seen before the message was written.
        assert isinstance(error, UpstreamUnavailable | OutcomeUnknown)
        assert "content" not in seen

    async def test_refusal_of_data(self) -> None:
        error = await failure([], {"DATA": b"554 5.5.1 No valid recipients"})
        assert isinstance(error, UpstreamRejected)


class TestLogin:
    async def test_temporary_failure(self) -> None:
        error = await failure([], {"AUTH": b"454 4.7.0 Temporary authentication failure"}, login=True)
        assert isinstance(error, UpstreamUnavailable)

    async def test_mechanism_that_is_only_announced(self) -> None:
        seen: list[str] = []
        error = await failure(seen, {"AUTH": b"504 5.5.4 Unrecognized"}, login=True)
        assert isinstance(error, UpstreamCredentialsRejected)
        assert seen.count("AUTH") == 2

    async def test_what_the_relay_quotes_is_not_passed_on(self) -> None:
        error = await failure([], {"AUTH": b"535 5.7.8 wrong: AUTH LOGIN bmV3c0BhY21lLmV4YW1wbGU="}, login=True)
        assert isinstance(error, UpstreamCredentialsRejected)
        assert "bmV3" not in error.detail
        assert error.upstream is not None
        assert error.upstream.message is None


class TestOnceTheMessageHasBegun:
    @pytest.mark.parametrize(
        ("stage", "fault"),
        [("body", DROP), ("content", DROP), ("content", b"what?"), ("content", b"354 more")],
    )
    async def test_nobody_knows(self, stage: str, fault: bytes) -> None:
        seen: list[str] = []
        error = await failure(seen, {stage: fault})
        assert isinstance(error, OutcomeUnknown), error
        assert "@acme.example> in the relay's log" in error.detail
        assert "Retry-After" not in error.headers
        assert seen.count("MAIL") == seen.count("DATA") == 1

    async def test_the_deadline_passes(self) -> None:
        error = await failure([], {"content": HANG}, waits=SmtpTimeouts(connect=9, reply=9, total=0.5))
        assert isinstance(error, OutcomeUnknown)
        assert "when time ran out" in error.detail

    async def test_the_caller_goes_away(self, submitter: Submitter) -> None:
        async with Relay(released=asyncio.Event()).running() as relay:
            caller = make_caller(relay.port)
            submission = asyncio.create_task(submitter.submit(make_message(), caller))
            await relay.arrived.wait()
            submission.cancel()
            with pytest.raises(asyncio.CancelledError):
                await submission
        assert [call.outcome for call in caller.context.upstream_calls] == ["aborted"]


class TestReplies:
    @pytest.mark.parametrize(
        ("reply", "shown"),
        [
            (b"554-5.7.1 first\r\n554 5.7.1 second", "5.7.1 first 5.7.1 second"),
            (b"554 a\x00b\x1b[31m\x7f\xc2\x85c", "a b [31m c"),
            (b"554 \xff\xfe caf\xc3\xa9", "caf\u00e9"),
            (LONG_REPLY, LONG_REPLY[4:304].decode()),
            (b"554", None),
        ],
    )
    async def test_are_made_fit_to_be_shown(self, reply: bytes, shown: str | None) -> None:
        error = await failure([], {"MAIL": reply})
        assert isinstance(error, UpstreamRejected)
        assert error.upstream is not None
        assert error.upstream.message == shown
        assert error.detail.isprintable()


async def test_a_relay_is_never_given_the_message_twice(submitter: Submitter) -> None:
    seen: list[str] = []
    async with serving(scripted(seen, content=DROP)) as url:
        caller = make_caller(port_of(url))
        with pytest.raises(OutcomeUnknown):
            await submitter.submit(make_message(), caller)
    assert seen == ["EHLO", "MAIL", "RCPT", "DATA", "content"]
