"""One entry of the audit log, and how little of a person it shows."""

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Literal

from app.tenants.master_keys import MasterKey

Addresses = Literal["hashed", "plain"]

_LONGEST_TARGET = 200
_HASH_LENGTH = 32


@dataclass(frozen=True, slots=True)
class Entry:
    """A change, or an attempt at one.

    Args:
        time: when it was answered, RFC 3339 in UTC.
        tenant: whose it is; None for operators, and for callers who are not known.
        key: the id of the key that was used, `admin` for the operators' token; None for callers who are not known.
        client: the address it came from, as far as that is known.
        method: the HTTP method.
        operation: the endpoint's operation id in the OpenAPI document; None where there is no such endpoint.
        targets: what the path, or an operator, names, by parameter, and `created` for what was created.
        status: the HTTP status; None if nobody was there any more to be answered.
        code: the problem's code, if it is one.
        replayed: whether this is the answer of an earlier request with the same idempotency key: nothing was done.
        request_id: the request's id.
        trace_id: the id of its trace.
    """

    time: str
    tenant: str | None
    key: str | None
    client: str | None
    method: str
    operation: str | None
    targets: Mapping[str, str]
    status: int | None
    code: str | None
    replayed: bool
    request_id: str
    trace_id: str

    def line(self) -> str:
        """Return the entry as one line of JSON in ASCII, line break included."""
        return json.dumps({"event": "audit", **asdict(self)}) + "\n"


class Pseudonyms:
    """Puts keyed hashes in the place of e-mail addresses: equal ones stay equal, and nobody can try addresses out.

    Args:
        master_key: what the tenants' keys are derived from.
        addresses: `plain` leaves addresses as they are.
    """

    def __init__(self, master_key: MasterKey, addresses: Addresses) -> None:
        self._plain = addresses == "plain"
        self._key = lru_cache(1000)(lambda tenant: master_key.derive("audit", tenant))

    def of(self, value: str, tenant: str | None) -> str:
        """Return a target as it may be written down for a tenant: not too long, and no address unless allowed."""
        if "@" in value and not self._plain:
            digest = hmac.new(self._key(tenant or ""), value.strip().lower().encode("utf-8", "replace"), hashlib.sha256)
            return f"hmac:{digest.hexdigest()[:_HASH_LENGTH]}"
        return value[:_LONGEST_TARGET]
