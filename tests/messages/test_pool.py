"""Sessions that are kept for the next message."""

import asyncio
import gc
from typing import Any

import pytest
from structlog.testing import capture_logs

from app.errors import Conflict, UpstreamRejected, UpstreamUnavailable
from app.gateway.context import Caller
from app.messages.models import SmtpTimeouts
from app.messages.submitter import Submitter
from tests.messages.conftest import make_submitter
from tests.support.relays import HANG, LOGIN, Relay, port_of, scripted
from tests.support.servers import serving
from tests.support.submissions import make_caller, make_message
from tests.support.tenants import make_tenant


class TestReuse:
    async def test_one_session_serves_one_message_after_another(self, submitter: Submitter) -> None:
        async with Relay().running() as relay:
            caller = make_caller(relay.port, login=True)
            for _ in range(3):
                await submitter.submit(make_message(), caller)
        assert (len(relay.messages), len(relay.sessions), len(relay.mechanisms_used)) == (3, 1, 1)

    async def test_a_refusal_leaves_the_session_usable(self, submitter: Submitter) -> None:
        async with Relay(refuses={"gone@example.com": "550 No"}).running() as relay:
            caller = make_caller(relay.port)
            with pytest.raises(UpstreamRejected):
                await submitter.submit(make_message("gone@example.com"), caller)
            await submitter.submit(make_message(), caller)
        assert relay.messages[0].rcpt_tos == ["anna@example.com"]
        assert len(relay.sessions) == 1

    async def test_a_session_that_broke_is_replaced(self, submitter: Submitter) -> None:
        async with Relay().running() as relay:
            caller = make_caller(relay.port)
            await submitter.submit(make_message(), caller)
            relay.drop()
            await submitter.submit(make_message(), caller)
        assert (len(relay.messages), len(relay.sessions)) == (2, 2)
        assert [call.outcome for call in caller.context.upstream_calls] == ["ok", "ok"]

    async def test_a_session_that_fell_silent_is_replaced(self) -> None:
        seen: list[str] = []
        submitter = make_submitter(SmtpTimeouts(connect=5, reply=0.1, total=5))
        async with serving(scripted(seen, RSET=HANG)) as url:
            caller = make_caller(port_of(url))
            for _ in range(2):
                await submitter.submit(make_message(), caller)
            await submitter.aclose()
        assert seen.count("EHLO") == seen.count("content") == 2

    async def test_a_session_whose_relay_says_goodbye_is_replaced(self) -> None:
        seen: list[str] = []
        submitter = make_submitter()
        async with serving(scripted(seen, RSET=b"421 4.4.2 Idle for too long")) as url:
            caller = make_caller(port_of(url))
            for _ in range(2):
                await submitter.submit(make_message(), caller)
            await submitter.aclose()
        assert seen.count("EHLO") == seen.count("content") == 2

    async def test_the_deadline_covers_the_check(self) -> None:
        submitter = make_submitter(SmtpTimeouts(connect=9, reply=9, total=0.5))
        async with serving(scripted([], RSET=HANG)) as url:
            caller = make_caller(port_of(url))
            await submitter.submit(make_message(), caller)
            with pytest.raises(UpstreamUnavailable, match="time ran out"):
                await submitter.submit(make_message(), caller)


class TestIsolation:
    async def test_tenants_share_no_session(self, submitter: Submitter) -> None:
        async with Relay().running() as relay:
            for tenant_id in ("acme", "rival", "acme", "rival"):
                await submitter.submit(make_message(), make_caller(relay.port, tenant_id=tenant_id, login=True))
        assert (len(relay.messages), len(relay.sessions)) == (4, 2)

    @pytest.mark.parametrize("change", [{"password": "changed"}, {"username": "other"}])
    async def test_changed_credentials_are_tried_at_once(self, submitter: Submitter, change: dict[str, Any]) -> None:
        async with Relay().running() as relay:
            await submitter.submit(make_message(), make_caller(relay.port, login=True))
            with pytest.raises(Exception, match="refused the tenant's SMTP login"):
                await submitter.submit(make_message(), make_caller(relay.port, login=True, **change))
        assert len(relay.sessions) == 2


class TestBounds:
    async def test_a_tenant_has_so_many_sessions_and_no_more(self) -> None:
        submitter = make_submitter(size=2)
        async with Relay().running() as relay:
            caller = make_caller(relay.port)
            await asyncio.gather(*(submitter.submit(make_message(), caller) for _ in range(8)))
            await submitter.aclose()
        assert len(relay.messages) == 8
        assert len(relay.sessions) <= 2

    async def test_waiting_for_a_session_ends_with_the_deadline(self) -> None:
        submitter = make_submitter(SmtpTimeouts(connect=5, reply=5, total=0.2), size=1)
        async with serving(scripted([], MAIL=HANG)) as url:
            callers = [make_caller(port_of(url)) for _ in range(2)]
            results = await asyncio.gather(
                *(submitter.submit(make_message(), caller) for caller in callers), return_exceptions=True
            )
        assert [type(result) for result in results] == [UpstreamUnavailable] * 2

    async def test_an_idle_session_ends_with_a_farewell(self) -> None:
        submitter = make_submitter(idle_seconds=0.01)
        async with Relay().running() as relay:
            await submitter.submit(make_message(), make_caller(relay.port))
            async with asyncio.timeout(5):
                await relay.left.wait()
            await submitter.submit(make_message(), make_caller(relay.port))
            await submitter.aclose()
        assert (len(relay.sessions), relay.farewells) == (2, 2)


class TestClosing:
    async def test_says_farewell_to_every_relay(self) -> None:
        submitter = make_submitter()
        async with Relay().running() as relay:
            for tenant_id in ("acme", "rival"):
                await submitter.submit(make_message(), make_caller(relay.port, tenant_id=tenant_id))
            await submitter.aclose()
            assert relay.farewells == 2

    async def test_sessions_at_work_follow(self) -> None:
        submitter = make_submitter()
        async with Relay(released=asyncio.Event()).running() as relay:
            submission = asyncio.create_task(submitter.submit(make_message(), make_caller(relay.port)))
            await relay.arrived.wait()
            await submitter.aclose()
            assert relay.released is not None
            relay.released.set()
            assert (await submission).accepted == ("anna@example.com",)
            async with asyncio.timeout(5):
                await relay.left.wait()

    async def test_leaves_nothing_open(self) -> None:
        submitter = make_submitter()
        async with Relay().running() as relay:
            await submitter.submit(make_message(), make_caller(relay.port))
            relay.drop()
            await submitter.aclose()
        # An unclosed transport would warn here, and warnings are errors.
        gc.collect()


class TestSecrets:
    async def test_a_password_in_clear_is_warned_of_once(self, submitter: Submitter) -> None:
        with capture_logs() as logs:
            for _ in range(2):
                with pytest.raises(UpstreamUnavailable):
                    await submitter.submit(make_message(), make_caller(25, host="relay.invalid", login=True))
        (warning,) = (entry for entry in logs if entry["log_level"] == "warning")
        assert (warning["event"], warning["tenant"]) == ("smtp_password_sent_in_clear", "acme")
        assert LOGIN[1] not in str(logs)

    @pytest.mark.parametrize("settings", [{"login": False}, {"login": True, "security": "starttls"}])
    async def test_without_exposure_there_is_no_warning(self, submitter: Submitter, settings: dict[str, Any]) -> None:
        with capture_logs() as logs, pytest.raises(UpstreamUnavailable):
            await submitter.submit(make_message(), make_caller(25, host="relay.invalid", **settings))
        assert logs == []

    async def test_loopback_is_no_exposure(self, submitter: Submitter) -> None:
        async with Relay().running() as relay:
            with capture_logs() as logs:
                await submitter.submit(make_message(), make_caller(relay.port, login=True))
        assert logs == []


async def test_a_tenant_without_a_relay(submitter: Submitter) -> None:
    caller = make_caller(25)
    without = Caller(make_tenant(), caller.key_id, caller.scopes, caller.context)
    with pytest.raises(Conflict, match="no SMTP relay"):
        await submitter.submit(make_message(), without)
    assert caller.context.upstream_calls == []
