"""Messages, from JSON to the relay."""

import base64
import email
import email.policy
import io
import json
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
import trustme
from fastapi import FastAPI
from pydantic import ValidationError

from app.sandbox import Account, Sandbox
from app.telemetry.logs import configure_logging
from tests.support.problems import problem, refused_fields
from tests.support.relays import DROP, LOGIN, Relay, port_of, scripted
from tests.support.running import client_of, make_app, make_settings
from tests.support.servers import serving, unused_port
from tests.support.tenants import READ_KEY, WRITE_KEY, make_smtp, make_tenant

PATH = "/v1/messages"


def make_body(**fields: Any) -> dict[str, Any]:
    body: dict[str, Any] = {
        "from": {"email": "news@demo.example", "name": "新闻"},
        "to": [{"email": "anna@example.com", "name": "Anna"}],
        "subject": "您的订单",
        "text": "谢谢！\n",
    }
    return {name: value for name, value in {**body, **fields}.items() if value is not ...}


def relayed(port: int, **smtp: Any) -> FastAPI:
    """Return a gateway whose tenant has a relay at `port`."""
    return make_app([make_tenant(smtp=make_smtp(port, **smtp))])


@pytest.fixture
async def mail() -> AsyncIterator[Sandbox]:
    """A sandbox with an SMTP relay and the seeded account `demo`."""
    async with Sandbox([Account("demo", "secret", seeded=True)], smtp=True) as running:
        yield running


@pytest.fixture
async def demo(mail: Sandbox) -> AsyncIterator[httpx2.AsyncClient]:
    """A tenant whose relay is the sandbox's."""
    async with client_of(relayed(mail.smtp_port or 0, username="news@demo.example", password="sandbox")) as client:
        yield client


@pytest.fixture
async def unreached() -> AsyncIterator[httpx2.AsyncClient]:
    """A tenant with a relay that nobody may reach: whoever tries gets 503."""
    async with client_of(relayed(unused_port())) as client:
        yield client


class TestAuthentication:
    async def test_without_a_key(self, unreached: httpx2.AsyncClient) -> None:
        del unreached.headers["Authorization"]
        problem(await unreached.post(PATH, json=make_body()), 401, "unauthenticated")

    @pytest.mark.parametrize("key", [READ_KEY, WRITE_KEY])
    async def test_without_the_scope_to_send(self, unreached: httpx2.AsyncClient, key: str) -> None:
        headers = {"Authorization": f"Bearer {key}"}
        problem(await unreached.post(PATH, json=make_body(), headers=headers), 403, "insufficient_scope")


class TestSubmission:
    async def test_reaches_the_relay(self, demo: httpx2.AsyncClient, mail: Sandbox) -> None:
        body = make_body(
            cc=[{"email": "bob@example.com"}],
            bcc=[{"email": "hidden@example.com"}, {"email": "ANNA@example.com"}, {"email": "anna@EXAMPLE.com"}],
            reply_to={"email": "service@demo.example", "name": "Kundendienst, Büro"},
            html='<p>谢谢！</p><img src="cid:logo">',
            headers={"X-Order": "4711", "List-Unsubscribe": "<mailto:off@demo.example>"},
            attachments=[
                {"filename": "图.png", "content_base64": base64.b64encode(b"\x89PNG").decode(), "content_id": "logo"},
                {"filename": "发票.pdf", "content_base64": base64.b64encode(bytes(range(256))).decode()},
                {"filename": "mail.eml", "content_base64": ""},
                {
                    "filename": "termin.ics",
                    "content_type": 'Text/Calendar; method=REQUEST; charset="utf-8"',
                    "content_base64": base64.b64encode("Grüße".encode()).decode(),
                },
            ],
        )
        response = await demo.post(PATH, json=body)
        assert response.status_code == 202, response.text
        assert response.headers["cache-control"] == "no-store"
        answer = response.json()
        recipients = ["anna@example.com", "bob@example.com", "hidden@example.com", "ANNA@example.com"]
        assert answer == {"message_id": answer["message_id"], "accepted": recipients, "rejected": []}
        (received,) = mail.messages
        assert (received.mailbox, received.recipients) == ("news@demo.example", tuple(recipients))
        assert b"hidden" not in received.content
        message = email.message_from_bytes(received.content, policy=email.policy.default)
        assert message["Message-ID"] == answer["message_id"]
        assert message["Subject"] == "您的订单"
        assert message["Reply-To"].addresses[0].display_name == "Kundendienst, Büro"
        assert (message["X-Order"], message["List-Unsubscribe"]) == ("4711", "<mailto:off@demo.example>")
        assert [(part.get_content_type(), part.get_filename()) for part in message.walk() if part.get_filename()] == [
            ("image/png", "图.png"),
            ("application/pdf", "发票.pdf"),
            ("application/octet-stream", "mail.eml"),
            ("text/calendar", "termin.ics"),
        ]
        calendar = list(message.iter_attachments())[-1]
        assert (calendar.get_param("method"), calendar.get_content()) == ("REQUEST", "Grüße")

    async def test_some_recipients_are_refused(self, demo: httpx2.AsyncClient, mail: Sandbox) -> None:
        body = make_body(to=[{"email": "anna@example.com"}, {"email": "x+refuse@example.com"}])
        answer = (await demo.post(PATH, json=body)).json()
        assert answer["accepted"] == ["anna@example.com"]
        assert answer["rejected"] == [
            {"email": "x+refuse@example.com", "code": 550, "message": "5.1.1 Mailbox not found"}
        ]
        assert len(mail.messages) == 1

    async def test_all_recipients_are_refused(self, demo: httpx2.AsyncClient, mail: Sandbox) -> None:
        response = await demo.post(PATH, json=make_body(to=[{"email": "x+refuse@example.com"}]))
        body = problem(response, 422, "upstream_rejected")
        assert "x+refuse@example.com: 550 5.1.1 Mailbox not found" in body["detail"]
        assert body["upstream"] == {
            "operation": "messages.submit",
            "status": "550",
            "message": "5.1.1 Mailbox not found",
        }
        assert mail.messages == []

    async def test_over_tls_by_a_private_authority(self, tmp_path: Path) -> None:
        authority = trustme.CA()
        server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1").configure_cert(server)
        authority.cert_pem.write_to_path(tmp_path / "ca.pem")
        async with Relay(starttls=server).running() as relay:
            smtp = make_smtp(relay.port, security="starttls", username=LOGIN[0], password=LOGIN[1])
            app = make_app([make_tenant(smtp=smtp)], smtp_ca_file=tmp_path / "ca.pem")
            async with client_of(app) as client:
                assert (await client.post(PATH, json=make_body())).status_code == 202
                assert (await client.post(PATH, json=make_body())).status_code == 202
            assert (len(relay.sessions), relay.farewells) == (1, 1)
        assert [message.login for message in relay.messages] == [LOGIN[0], LOGIN[0]]

    async def test_an_authority_file_that_is_none_is_refused_at_start(self, tmp_path: Path) -> None:
        (tmp_path / "ca.pem").write_text("not a certificate")
        with pytest.raises(ValidationError, match="is not a PEM file of certificates"):
            make_settings(smtp_ca_file=tmp_path / "ca.pem")


class TestFailures:
    async def test_no_relay(self) -> None:
        async with client_of(make_app([make_tenant()])) as client:
            problem(await client.post(PATH, json=make_body()), 409, "conflict")

    async def test_relay_out_of_reach(self, unreached: httpx2.AsyncClient) -> None:
        response = await unreached.post(PATH, json=make_body())
        problem(response, 503, "upstream_unavailable")
        assert response.headers["retry-after"] == "5"

    async def test_wrong_login(self, mail: Sandbox) -> None:
        app = relayed(mail.smtp_port or 0, username="news@demo.example", password="wr0ng-passw0rd")
        log = io.StringIO()
        configure_logging("DEBUG", log)
        async with client_of(app) as client:
            response = await client.post(PATH, json=make_body())
        problem(response, 502, "upstream_credentials_rejected")
        assert "wr0ng" not in response.text + log.getvalue()

    async def test_outcome_unknown(self) -> None:
        seen: list[str] = []
        async with serving(scripted(seen, content=DROP)) as url, client_of(relayed(port_of(url))) as client:
            body = problem(await client.post(PATH, json=make_body()), 504, "outcome_unknown")
            metrics = (await client.get("/metrics")).text
        assert "@demo.example>" in body["detail"]
        assert seen.count("DATA") == 1
        assert 'operation="messages.submit",outcome="outcome_unknown"' in metrics

    async def test_the_log_tells_of_the_relay_but_not_of_the_message(self) -> None:
        log = io.StringIO()
        configure_logging("DEBUG", log)
        async with serving(scripted([])) as url, client_of(relayed(port_of(url))) as client:
            await client.post(PATH, json=make_body(headers={"X-Private": "private-value"}))
        (entry,) = (line for line in map(json.loads, log.getvalue().splitlines()) if line["event"] == "request")
        (upstream,) = entry["upstream"]
        assert (upstream["operation"], upstream["outcome"], upstream["status"]) == ("messages.submit", "ok", 250)
        for secret in ("您的订单", "谢谢", "anna@example.com", "private-value"):
            assert secret not in log.getvalue()


BAD_TEXTS = ["a\r\nBcc: x@example.com", "a\nb", "a\x00b", "a\x7fb", "a\u2028b", "a\u0085b"]
RESERVED = [
    "From", "sender", "Reply-To", "TO", "Cc", "bcc", "Subject", "Date", "message-id", "MIME-Version", "Content-Type",
    "content-transfer-encoding", "Received", "Return-Path", "DKIM-Signature", "ARC-Seal", "Resent-To",
    "Authentication-Results", "Delivered-To",
]  # fmt: skip


class TestRefusals:
    @pytest.mark.parametrize("text", BAD_TEXTS)
    async def test_header_injection(self, unreached: httpx2.AsyncClient, text: str) -> None:
        body = make_body(
            **{"from": {"email": "a@example.com", "name": text}},
            to=[{"email": f"x@example.com{text}", "name": "x"}, {"email": "x@example.com", "name": text}],
            reply_to={"email": "x@example.com", "name": text},
            subject=text,
            headers={"X-A": text},
            attachments=[
                {"filename": text, "content_base64": "", "content_type": f"a/b; c={text}", "content_id": text}
            ],
        )
        assert refused_fields(await unreached.post(PATH, json=body)) == {
            "/from/name",
            "/to/0/email",
            "/to/1/name",
            "/reply_to/name",
            "/subject",
            "/headers/X-A",
            "/attachments/0/filename",
            "/attachments/0/content_type",
            "/attachments/0/content_id",
        }

    async def test_header_names(self, unreached: httpx2.AsyncClient) -> None:
        names = ["", "X A", "X:A", "X\r\nA", "Bcc\n", "Ü", "x" * 77]
        response = await unreached.post(PATH, json=make_body(headers=dict.fromkeys([*names, "X-A"], "x")))
        assert refused_fields(response) == {f"/headers/{name}" for name in names}

    async def test_reserved_headers(self, unreached: httpx2.AsyncClient) -> None:
        response = await unreached.post(PATH, json=make_body(headers=dict.fromkeys([*RESERVED, "X-A"], "x")))
        assert refused_fields(response) == {f"/headers/{name}" for name in RESERVED}
        assert {error["code"] for error in response.json()["errors"]} == {"reserved_header"}

    @pytest.mark.parametrize(
        ("fields", "pointers"),
        [
            ({"from": ...}, {"/from"}),
            ({"to": ...}, {"/to"}),
            ({"subject": ...}, {"/subject"}),
            ({"text": ...}, {""}),
            ({"to": []}, {"/to"}),
            ({"to": ["anna"]}, {"/to/0"}),
            ({"to": [5]}, {"/to/0"}),
            ({"to": [{"email": "anna"}]}, {"/to/0/email"}),
            ({"to": [{"email": "änna@example.com"}]}, {"/to/0/email"}),
            ({"to": [{"email": "Anna <anna@example.com>"}]}, {"/to/0/email"}),
            ({"to": [{"email": "a@example.com,b@example.com"}]}, {"/to/0/email"}),
            ({"to": [{"email": '"a> SIZE=1"@example.com'}]}, {"/to/0/email"}),
            ({"to": [{"email": "a@example.com", "nickname": "x"}]}, {"/to/0/nickname"}),
            ({"to": [{"email": f"{n}@example.com"} for n in range(101)]}, {"/to"}),
            ({"bcc": [{"email": f"{n}@example.com"} for n in range(100)]}, {""}),
            ({"subject": "  "}, {"/subject"}),
            ({"subject": "x" * 999}, {"/subject"}),
            ({"text": ""}, {"/text"}),
            ({"text": "a\x00b"}, {"/text"}),
            ({"html": "\x1b"}, {"/html"}),
            ({"headers": {"X-A": ""}}, {"/headers/X-A"}),
            ({"headers": {"X-A": "1", "x-a": "2"}}, {"/headers"}),
            ({"headers": {f"X-{n}": "1" for n in range(51)}}, {"/headers"}),
            ({"sender": {"email": "a@example.com"}}, {"/sender"}),
        ],
    )
    async def test_fields(self, unreached: httpx2.AsyncClient, fields: dict[str, Any], pointers: set[str]) -> None:
        assert refused_fields(await unreached.post(PATH, json=make_body(**fields))) == pointers

    async def test_attachments(self, unreached: httpx2.AsyncClient) -> None:
        faults: list[dict[str, Any]] = [
            {"content_base64": "not base64!"},
            {"content_base64": "YQ"},
            {"content_base64": 5},
            {"filename": "../../etc/passwd"},
            {"filename": ""},
            {"content_type": "text"},
            {"content_type": "text/plain; charset"},
            {"content_type": "multipart/mixed"},
            {"content_type": "Message/RFC822"},
            {"content_id": "<logo>"},
            {"url": "file:///etc/passwd"},
        ]
        files = [{"filename": "a.pdf", "content_base64": "YQ==", **fault} for fault in faults]
        response = await unreached.post(PATH, json=make_body(attachments=files))
        assert refused_fields(response) == {
            f"/attachments/{index}/{name}" for index, fault in enumerate(faults) for name in fault
        }

    async def test_content_id_without_html(self, unreached: httpx2.AsyncClient) -> None:
        files = [{"filename": "a.png", "content_base64": "", "content_id": "logo"}]
        response = await unreached.post(PATH, json=make_body(attachments=files))
        assert refused_fields(response) == {""}
        assert response.json()["errors"][0]["code"] == "content_id_without_html"

    async def test_the_same_content_id_twice(self, unreached: httpx2.AsyncClient) -> None:
        files = [{"filename": "a.png", "content_base64": "", "content_id": "logo"}] * 2
        response = await unreached.post(PATH, json=make_body(html="x", attachments=files))
        assert refused_fields(response) == {"/attachments"}

    async def test_unknown_query_parameter(self, unreached: httpx2.AsyncClient) -> None:
        assert refused_fields(await unreached.post(f"{PATH}?draft=1", json=make_body())) == {"draft"}
