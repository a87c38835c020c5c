"""Which tests may open sockets; the others are unit tests, from which an attempt to open one is an error."""

import socket
from pathlib import Path
from typing import Any, Never

import pytest

TESTS = Path(__file__).parents[1]

WITH_SOCKETS = (
    "admin",
    "agents",
    "api",
    "benchmarks",
    "browser",
    "cli",
    "contract",
    "deployment",
    "events",
    "gateway/test_exports.py",
    "gateway/test_replies.py",
    "gateway/test_streaming.py",
    "messages",
    "openapi",
    "policies/cache",
    "policies/idempotency",
    "policies/limits",
    "policies/test_locks.py",
    "resilience",
    "resources",
    "sandbox",
    "security",
    "storage",
    "telemetry/test_log_export.py",
    "telemetry/test_slow_request.py",
    "telemetry/test_tracing.py",
    "telemetry/test_transitions.py",
    "telemetry/test_workers.py",
    "tenants/test_contract.py",
    "tenants/tokens",
    "test_cli.py",
    "test_demo.py",
    "test_footprint.py",
    "test_structure.py",
    "test_health.py",
    "upstream/test_client.py",
    "upstream/test_connection.py",
    "upstream/test_library.py",
    "upstream/test_transport.py",
    "upstream/test_uploads.py",
    "wiring",
)
"""Folders and modules under `tests` whose tests open sockets or start processes."""

_FIXTURES = frozenset({"sockets", "sandbox", "valkey", "postgres", "database_url"})
_BLOCKED = ("bind", "connect", "connect_ex")


def is_unit_test(item: pytest.Item) -> bool:
    """Say whether a test must do without sockets."""
    path = item.path.relative_to(TESTS)
    return not (_FIXTURES & set(getattr(item, "fixturenames", ()))) and not any(
        path.is_relative_to(each) for each in WITH_SOCKETS
    )


def block_sockets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every attempt to reach or to open a port fail."""

    def refuse(_socket: socket.socket, *_arguments: Any) -> Never:
        raise AssertionError("a unit test opened a socket: use the fixture `sockets`, or name it in WITH_SOCKETS")

    for name in _BLOCKED:
        monkeypatch.setattr(socket.socket, name, refuse)
