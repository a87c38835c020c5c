"""The interface of every store of idempotency keys."""

from contextlib import AbstractAsyncContextManager
from typing import Protocol

from app.policies.idempotency.claims import Claim
from app.policies.idempotency.models import Record, StoredAnswer


class IdempotencyStore(Protocol):
    """Keys of each tenant, kept for a day.

    All methods raise `StoreUnavailable` if the store cannot be used.
    """

    async def claim(
        self, tenant: str, key: str, *, head: str, body: str | None, request_id: str, lease: float
    ) -> Claim | Record:
        """Claim a key for a request.

        A key is given to the first who asks, and again to the next who asks with the same fingerprints if its request
        died before anything was sent.

        Args:
            tenant: the tenant's id.
            key: the client's key.
            head: the fingerprint of method, path, query and content type.
            body: the fingerprint of the body, if it is known by now.
            request_id: the id of the request.
            lease: seconds after which the claim ends unless its process lives; it is renewed in the background.

        Returns:
            The claim, to be entered as a context at once; or what is known of the request that has the key.
        """

    async def settle(self, tenant: str, key: str, answer: StoredAnswer, *, request_id: str) -> bool:
        """Give an answer to a request that died while `SENDING`, once it is known what became of it.

        Returns:
            Whether it was still so; not if another was quicker, or the request lives after all.
        """

    async def check(self) -> None:
        """See whether the store can be used."""

    def running(self) -> AbstractAsyncContextManager[None]:
        """Keep the store usable while the context is open."""
