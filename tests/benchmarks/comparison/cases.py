"""What everybody is asked for."""

import itertools
import json
import secrets
from collections.abc import Mapping
from typing import NamedTuple

from tests.benchmarks.comparison.servers import DIRECT, GATEWAY, TENANTS, Server
from tests.benchmarks.load import Target, get
from tests.benchmarks.servers import key_of

FRESH = "Cache-Control: no-store"
_SCRIPTS = "/mm-ms/apinew/"
_CAMPAIGNS_OF_TENANT = 90
"""A tenant may create a hundred an hour."""


class Read(NamedTuple):
    """A read that is kept nowhere: its path at the gateway, and what the platform is asked."""

    path: str
    direct: str


LISTED = Read("/v1/campaigns?page_size=30", "task.php?do=task-list")
READS = {
    "account": Read("/v1/account", "account.php?do=customer-info"),
    "30 campaigns, 26 KB": LISTED,
    "500 contacts, 250 KB": Read("/v1/contacts?page_size=500", "mloperate.php?do=ml-addr-list"),
}
CREATE = "create a campaign"


def reading(read: Read, servers: Mapping[str, Server]) -> dict[str, Target]:
    """Return a target for each server."""
    asked = get(read.path, f"X-API-Key: {key_of(0)}", FRESH)
    targets = {name: Target(each.port, asked, pid=each.pid) for name, each in servers.items() if name != DIRECT}
    return {**targets, DIRECT: Target(servers[DIRECT].port, get(f"{_SCRIPTS}{read.direct}"))}


def creating(servers: Mapping[str, Server], already: int) -> dict[str, Target]:
    """Return a target for each server; the gateway's requests each have an idempotency key.

    Args:
        servers: the servers.
        already: how many campaigns each of the gateway's tenants has had created.
    """
    body = {"template_ids": [16], "list_id": 78, "from_name": "News"}
    plain = _post(body, key_of(0))
    targets = {
        name: Target(each.port, plain, status=201, pid=each.pid)
        for name, each in servers.items()
        if name not in {DIRECT, GATEWAY}
    }
    wanted = {**body, "sender": {"type": "any"}, "schedule": {"mode": "hold"}}
    turns = itertools.product(range(already, _CAMPAIGNS_OF_TENANT), range(TENANTS))
    first, *more = [_post(wanted, key_of(tenant), f"Idempotency-Key: {secrets.token_hex(8)}") for _, tenant in turns]
    ours = Target(servers[GATEWAY].port, first, status=201, pid=servers[GATEWAY].pid, more=tuple(more))
    return {GATEWAY: ours, **targets}


def mixed(server: Server) -> Target:
    """Return what a front end does to the gateway: mostly reads of what is kept, some that are not."""
    key = f"X-API-Key: {key_of(0)}"
    kept, fresh = get("/v1/account", key), [get(read.path, key, FRESH) for read in list(READS.values())[:2]]
    return Target(server.port, kept, pid=server.pid, more=(*[kept] * 6, *fresh, get("/v1/campaigns", key)))


def _post(body: object, key: str, *headers: str) -> bytes:
    written = json.dumps(body).encode()
    lines = [
        "POST /v1/campaigns HTTP/1.1",
        "Host: 127.0.0.1",
        f"X-API-Key: {key}",
        "Content-Type: application/json",
        f"Content-Length: {len(written)}",
        *headers,
    ]
    return "\r\n".join([*lines, "", ""]).encode() + written
