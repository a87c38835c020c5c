"""A key in the hands of one request."""

from contextlib import suppress
from dataclasses import replace
from types import TracebackType
from typing import Protocol, Self

from app.policies.errands import Errands
from app.policies.idempotency.models import ClaimLost, Phase, Record, StoredAnswer, StoreUnavailable
from app.policies.leases import Lease, Sleep


class Slot(Protocol):
    """A key's place in a store, as long as it is its holder's; all methods raise `StoreUnavailable`."""

    async def renew(self) -> bool:
        """Make the lease last from now on; False if another holds the place."""

    async def write(self, record: Record) -> bool:
        """Put a record there and renew the lease; False, and nothing done, if another holds the place."""

    async def clear(self) -> bool:
        """Empty the place; False, and nothing done, if another holds it."""


class Claim:
    """A key that one request holds while its context is open; its lease is renewed in the meantime.

    Left before it is finished or released, it stays as it is until its lease runs out: the next request with the key
    then gets it if nothing was sent, and otherwise learns that the outcome is unknown. If `sending` has failed, nothing
    was sent, and leaving releases it if the store can be used again.
    """

    def __init__(self, slot: Slot, record: Record, *, lease: float, sleep: Sleep, errands: Errands) -> None:
        """Hold a place that has just been given.

        Args:
            slot: the place.
            record: what stands there.
            lease: seconds it lasts without being renewed.
            sleep: waits for some seconds.
            errands: carries out what must not be broken off.
        """
        self._slot = slot
        self._errands = errands
        self._record = record
        self._lease = Lease(slot.renew, seconds=lease, failure=StoreUnavailable, sleep=sleep)
        self._ended = False
        self._in_doubt = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._in_doubt:
            with suppress(StoreUnavailable):
                await self.release()
        await self._lease.stop()

    async def sending(self, *, body: str | None = None) -> None:
        """Note that a write is about to leave; to be called, and to return, before it does.

        Args:
            body: the fingerprint of the request's body, if it has become known.

        Raises:
            ClaimLost: another request has the key now; nothing may be sent.
            StoreUnavailable: it could not be noted; nothing may be sent.
        """
        self._in_doubt = self._record.phase is Phase.CLAIMED
        await self._write(replace(self._record, phase=Phase.SENDING, body=body or self._record.body))
        self._in_doubt = False

    async def finish(self, answer: StoredAnswer, *, body: str) -> None:
        """Keep the answer for those who repeat the request; carried to its end even if the caller is cancelled.

        Args:
            answer: the answer.
            body: the fingerprint of the request's body.

        Raises:
            ClaimLost: another request has the key now.
            StoreUnavailable: it could not be kept; trying again is allowed.
        """
        await self._errands.run(self._finish(replace(self._record, phase=Phase.FINISHED, body=body, answer=answer)))

    async def release(self) -> None:
        """Forget the request: nothing was sent, and its key may be used again. A key that was lost is left alone.

        Carried to its end even if the caller is cancelled.

        Raises:
            StoreUnavailable: it could not be forgotten.
        """
        if not self._ended:
            await self._errands.run(self._release())

    async def _finish(self, record: Record) -> None:
        await self._write(record)
        await self._end()

    async def _release(self) -> None:
        await self._slot.clear()
        await self._end()

    async def _write(self, record: Record) -> None:
        if self._ended or not await self._slot.write(record):
            raise ClaimLost(f"request {record.request_id} does not hold its idempotency key any more")
        self._record = record

    async def _end(self) -> None:
        self._ended = True
        await self._lease.stop()
