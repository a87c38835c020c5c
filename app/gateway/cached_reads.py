"""Reads whose answers are kept: the public model as the bytes that go out, fetched once for many."""

import asyncio
import base64
import hashlib
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from app.errors import NotCached, NotFound, UpstreamAnswer, UpstreamTimeout
from app.gateway.call import CallTimeouts, Gateway
from app.gateway.context import Caller
from app.gateway.operation import In, Lifetimes, Operation, Policy, chosen_lifetime
from app.policies.cache.model import Cache, CacheEntry, CacheKey, Directives, NothingStored, Served
from app.tenants.models import Tenant
from app.tenants.vault import Fingerprints
from app.upstream.envelope import Parameters
from app.upstream.listed import to_json

Headers = Callable[[Any], Mapping[str, str]]
"""Gives the headers that go with an answer, like `Link`."""


@dataclass(frozen=True, slots=True)
class PlannedRead:
    """A read of one tenant's, as far as it does not depend on who asks and when.

    Args:
        operation: what to read; it has a cache policy.
        request: its input.
        parameters: what the platform is asked with.
        key: where the answer is kept.
        headers: gives the headers that go with a fetched answer.
    """

    operation: Operation[Any, Any]
    request: Any
    parameters: Parameters
    key: CacheKey
    headers: Headers


class CacheKeys:
    """Decides where the answer to a read is kept.

    The key is made of the tenant, the fingerprint of its credentials, the operation, the parameters it sends and the
    version of the representation, and of nothing else: what a client writes into a header cannot reach it.

    """

    def __init__(self, fingerprints: Fingerprints, representation: str) -> None:
        self._fingerprints = fingerprints
        self._representation = representation

    def of(self, operation: Operation[Any, Any], parameters: Parameters, tenant: Tenant) -> CacheKey:
        """Return where the answer to one read is kept."""
        parts = [
            self._representation,
            tenant.id,
            self._fingerprints.of(tenant),
            operation.name,
            parameters.query,
            parameters.form,
        ]
        canonical = json.dumps(parts, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return CacheKey(tenant.id, hashlib.sha256(canonical.encode()).hexdigest(), tuple(sorted(operation.tags)))


class Reading:
    """Answers reads from what is kept, and from the platform where nothing is.

    Args:
        gateway: fetches what is not kept.
        cache: keeps answers.
        keys: decides where.
        waits: how long fetching may take.
        lifetimes: the operator's overrides; a tenant's own come before them.
        now: the current time in the platform's zone.
    """

    def __init__(
        self,
        gateway: Gateway,
        cache: Cache,
        keys: CacheKeys,
        *,
        waits: CallTimeouts,
        lifetimes: Lifetimes,
        now: Callable[[], datetime],
    ) -> None:
        self._gateway = gateway
        self._cache = cache
        self._keys = keys
        self._waits = waits
        self._lifetimes = lifetimes
        self._now = now

    def plan(self, operation: Operation[In, Any], request: In, tenant: Tenant, headers: Headers) -> PlannedRead:
        """Prepare a read; it may be carried out any number of times, until the tenant changes."""
        parameters = operation.encode(request)
        key = self._keys.of(operation, parameters, tenant)
        return PlannedRead(operation, request, parameters, key, headers)

    async def read(self, planned: PlannedRead, caller: Caller, directives: Directives) -> Served:
        """Answer one read.

        Args:
            planned: what to read.
            caller: for whom.
            directives: what the request says of caching.

        Raises:
            NotFound: the platform shows, or has lately shown, that it is not there.
            NotCached: the caller wants what is kept or nothing, and nothing is.
            GatewayError: the platform did not answer as promised, and nothing that is kept may stand in.
        """
        reading = self._cache.read(planned.key, partial(self._fetch, planned, caller), directives)
        deadline = caller.context.deadline
        try:
            served = await (reading if deadline is None else _by(deadline, reading, planned.operation))
        except NothingStored:
            raise NotCached("Nothing is kept of this, and the request forbids to ask the platform.") from None
        caller.context.cache_outcome = served.outcome
        if not served.entry.found:
            raise _not_found(served.entry.body)
        return served

    async def _fetch(self, planned: PlannedRead, caller: Caller) -> CacheEntry:
        operation, request = planned.operation, planned.request
        policy = operation.cache
        if policy is None:
            raise ValueError(f"{operation.name} has no cache policy")
        # Others wait for the same answer: the haste of the caller who came first is not theirs.
        deadline = self._waits.deadline(operation, None)
        lifetime = self._lifetime(operation, caller.tenant)
        try:
            result = await self._gateway.fetch(operation, request, planned.parameters, caller, deadline)
        except NotFound as missing:
            return _absent(missing, policy, lifetime)
        windows = policy.windows(request, result, self._now, lifetime)
        body = to_json(result)
        return CacheEntry(True, body, entity_tag(body), tuple(planned.headers(result).items()), windows, time.time())

    def _lifetime(self, operation: Operation[In, Any], tenant: Tenant) -> float | None:
        return chosen_lifetime(operation.name, tenant.cache, self._lifetimes)


async def _by(deadline: float, reading: Awaitable[Served], operation: Operation[Any, Any]) -> Served:
    try:
        async with asyncio.timeout_at(deadline):
            return await reading
    except TimeoutError:
        answer = UpstreamAnswer(operation.name, message="no reply in time")
        raise UpstreamTimeout(
            "The platform did not answer in the time that the request gives.", upstream=answer
        ) from None


def entity_tag(body: bytes) -> str:
    """Return a strong entity tag (RFC 9110, section 8.8.3): the same for the same bytes, wherever they come from."""
    return f'"{base64.urlsafe_b64encode(hashlib.sha256(body).digest()[:18]).decode()}"'


def _absent(missing: NotFound, policy: Policy, lifetime: float | None) -> CacheEntry:
    answer = missing.upstream
    said = [answer.operation, answer.status, answer.message] if answer else None
    body = json.dumps({"detail": missing.detail, "upstream": said}).encode()
    return CacheEntry(False, body, entity_tag(body), (), policy.negative_windows(lifetime), time.time())


def _not_found(body: bytes) -> NotFound:
    kept = json.loads(body)
    return NotFound(kept["detail"], upstream=UpstreamAnswer(*kept["upstream"]) if kept["upstream"] else None)
