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
from app.gateway.aggregates import Aggregate, count_rows
from app.gateway.call import CallTimeouts, Gateway
from app.gateway.context import Caller
from app.gateway.operation import In, Lifetimes, Operation, Policy, chosen_lifetime
from app.policies.cache.model import Cache, CacheEntry, CacheKey, Directives, Fetch, NothingStored, Served, Windows
from app.tenants.models import Tenant
from app.tenants.vault import Fingerprints
from app.upstream.envelope import Parameters
from app.upstream.listed import to_json

Headers = Callable[[Any], Mapping[str, str]]
"""Gives the headers that go with an answer, like `Link`."""
Admit = Callable[[], Awaitable[None]]
"""Raises what keeps a call of the platform from being made."""


@dataclass(frozen=True, slots=True)
class PlannedRead:
    """A read of one tenant's, as far as it does not depend on who asks and when."""

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

    def of(self, operation: Operation[Any, Any] | Aggregate[Any], parameters: Parameters, tenant: Tenant) -> CacheKey:
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
        lifetimes: the operator's overrides; a tenant's own come before them.
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

    async def read(
        self, planned: PlannedRead, caller: Caller, directives: Directives, admit: Admit | None = None
    ) -> Served:
        """Answer one read; `admit` is asked before the platform is.

        Raises:
            NotFound: the platform shows, or has lately shown, that it is not there.
            NotCached: the caller wants what is kept or nothing, and nothing is.
            GatewayError: the platform did not answer as promised, and nothing that is kept may stand in.
        """
        fetch = partial(self._fetch, planned, caller, admit)
        return await self._served(planned.key, fetch, planned.operation.name, caller, directives)

    async def aggregate(
        self, aggregate: Aggregate[In], request: In, caller: Caller, directives: Directives, admit: Admit | None = None
    ) -> Served:
        """Answer with the figures of an export, under the rules of `read`."""
        key = self._keys.of(aggregate, aggregate.export.encode(request), caller.tenant)
        fetch = partial(self._count, aggregate, request, caller, admit)
        return await self._served(key, fetch, aggregate.name, caller, directives)

    async def _served(self, key: CacheKey, fetch: Fetch, name: str, caller: Caller, directives: Directives) -> Served:
        reading = self._cache.read(key, fetch, directives)
        deadline = caller.context.deadline
        try:
            served = await (reading if deadline is None else _by(deadline, reading, name))
        except NothingStored:
            raise NotCached("Nothing is kept of this, and the request forbids to ask the platform.") from None
        caller.context.cache_outcome = served.outcome
        if not served.entry.found:
            raise _not_found(served.entry.body)
        return served

    async def _fetch(self, planned: PlannedRead, caller: Caller, admit: Admit | None) -> CacheEntry:
        operation, request = planned.operation, planned.request
        policy = operation.cache
        if policy is None:
            raise ValueError(f"{operation.name} has no cache policy")
        if admit is not None:
            await admit()
        # Others wait for the same answer: the haste of the caller who came first is not theirs.
        deadline = self._waits.deadline(operation, None)
        lifetime = self._lifetime(operation, caller.tenant)
        try:
            result = await self._gateway.fetch(operation, request, planned.parameters, caller, deadline)
        except NotFound as missing:
            return _absent(missing, policy, lifetime)
        windows = policy.windows(request, result, self._now, lifetime)
        return entry_of(to_json(result), windows, tuple(planned.headers(result).items()))

    async def _count(self, aggregate: Aggregate[In], request: In, caller: Caller, admit: Admit | None) -> CacheEntry:
        if admit is not None:
            await admit()
        deadline = self._waits.deadline(aggregate.export, None)
        async with self._gateway.export(aggregate.export, request, caller, deadline) as stream:
            result = await count_rows(aggregate.counter(), stream)
        windows = aggregate.cache.windows(request, result, self._now, self._lifetime(aggregate, caller.tenant))
        return entry_of(to_json(result), windows)

    def _lifetime(self, operation: Operation[In, Any] | Aggregate[In], tenant: Tenant) -> float | None:
        return chosen_lifetime(operation.name, tenant.cache, self._lifetimes)


async def _by(deadline: float, reading: Awaitable[Served], name: str) -> Served:
    try:
        async with asyncio.timeout_at(deadline):
            return await reading
    except TimeoutError:
        answer = UpstreamAnswer(name, message="no reply in time")
        raise UpstreamTimeout(
            "The platform did not answer in the time that the request gives.", upstream=answer
        ) from None


def entry_of(body: bytes, windows: Windows, headers: tuple[tuple[str, str], ...] = ()) -> CacheEntry:
    """Return an answer of now, ready to be kept and to go out."""
    return CacheEntry(True, body, entity_tag(body), headers, windows, time.time())


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
