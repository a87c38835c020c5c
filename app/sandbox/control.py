"""The sandbox's own URLs, ``/_sandbox/...``: what it holds, what it received, and how it should misbehave.

They belong to a tool on the loopback interface and ask for no credentials, so they never show a password.
"""

import json
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from datetime import datetime
from typing import Any

from aiohttp import web

from app.sandbox.endpoints import check_operation
from app.sandbox.faults import Fault, FaultError, FaultQueue
from app.sandbox.journal import Journal
from app.sandbox.smtp import ReceivedMessage
from app.sandbox.state import AccountState, World
from app.sandbox.times import stamp

_HIDDEN_FIELDS = frozenset({"password", "deliveries"})
_COLLECTIONS = ("lists", "contacts", "imports", "templates", "campaigns", "domains", "mailboxes")


class Control:
    """The handlers of ``/_sandbox/...``."""

    def __init__(
        self, world: World, faults: FaultQueue, journal: Journal, messages: Callable[[], list[ReceivedMessage]]
    ) -> None:
        """Take what there is to show and to change."""
        self._world = world
        self._faults = faults
        self._journal = journal
        self._messages = messages

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/_sandbox/state", self.state),
            web.get("/_sandbox/calls", self.calls),
            web.get("/_sandbox/messages", self.messages),
            web.get("/_sandbox/faults", self.faults),
            web.post("/_sandbox/faults", self.add_fault),
            web.delete("/_sandbox/faults", self.clear_faults),
        ]

    async def state(self, request: web.Request) -> web.Response:
        """Dump what the account named by ``?account=`` holds; without it list the accounts."""
        name = request.query.get("account")
        if name is None:
            return _json({"accounts": [_summary(state) for state in self._world.accounts.values()]})
        state = self._world.current(name)
        if state is None:
            return _json({"error": "unknown_account", "account": name}, status=404)
        return _json(_summary(state) | {item: to_json(getattr(state, item)) for item in _COLLECTIONS})

    async def calls(self, _request: web.Request) -> web.Response:
        """List the recorded calls, oldest first."""
        return _json({"calls": [call.public() for call in self._journal.calls()]})

    async def messages(self, _request: web.Request) -> web.Response:
        """List the messages that came in by SMTP."""
        return _json({"messages": [message.public() for message in self._messages()]})

    async def faults(self, _request: web.Request) -> web.Response:
        """List the faults that wait for calls."""
        return _json({"faults": self._faults.listing()})

    async def add_fault(self, request: web.Request) -> web.Response:
        """Queue the fault described by the JSON body; 422 names what is wrong with it."""
        try:
            fault = Fault.from_json(await request.json())
            check_operation(fault)
        except FaultError as error:
            return _json({"error": "invalid_fault", "problems": error.problems}, status=422)
        except ValueError:
            return _json({"error": "invalid_json", "problems": ["the body is not JSON"]}, status=400)
        self._faults.add(fault)
        return _json({"faults": self._faults.listing()}, status=201)

    async def clear_faults(self, _request: web.Request) -> web.Response:
        """Drop all waiting faults."""
        return _json({"cleared": self._faults.clear()})


def to_json(value: object) -> Any:
    """Make JSON values of records: times as text, bytes as their length, secrets and bulk left out."""
    if is_dataclass(value):
        return {
            item.name: to_json(getattr(value, item.name)) for item in fields(value) if item.name not in _HIDDEN_FIELDS
        }
    if isinstance(value, dict):
        return {str(key): to_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_json(item) for item in value]
    if isinstance(value, datetime):
        return stamp(value)
    return {"size": len(value)} if isinstance(value, bytes) else value


def _summary(state: AccountState) -> dict[str, Any]:
    return {
        "username": state.account.username,
        "role": state.account.role,
        "customer_id": state.customer_id,
        "counts": {item: len(getattr(state, item)) for item in _COLLECTIONS},
    }


def _json(value: object, status: int = 200) -> web.Response:
    return web.json_response(value, status=status, dumps=lambda item: json.dumps(item, ensure_ascii=False, indent=2))
